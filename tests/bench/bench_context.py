"""What does each kind of work of the plan inject, beside everything on every turn? And how long does composing take?

The workspace is the one under tests/data: the plan's seven files with their numbers of words, and the small ones.
"""

import time
from datetime import datetime
from pathlib import Path

import pytest

from engine.config.load import load
from engine.config.model import Config
from engine.config.routed import TaskType
from engine.context.assemble import assemble
from engine.context.fill import words
from engine.context.held import changes
from engine.context.routing import route
from engine.contract.orders import RunRequest
from engine.tokens.count import count_tokens

ROOT = Path(__file__).resolve().parents[2]
WORKSPACE = ROOT / "tests" / "data" / "workspace"
SEVEN = {
    "SOUL.md": 270,
    "USER.md": 110,
    "IDENTITY.md": 87,
    "MEMORY.md": 135,
    "AGENTS.md": 1437,
    "TOOLS.md": 197,
    "system_prompt.md": 1165,
}
"""What the plan says was sent on every turn, in words."""
PLAN = {
    "heartbeat": ("", 60),
    "cron": ("What is due today, and what waits for somebody else?", 100),
    "research": ("Which of the three jetties lasts longest here, and what does it rest on?", 300),
    "decision": ("Is the jetty to be repaired in steel or in wood? Give both sides and what you would do.", 400),
    "subagent": ("Count the cleats that are broken in berths/ and list them by berth.", 200),
}
"""Per task type: the words of a run, and the plan's target."""
FILES, FILE_BYTES, ROUNDS = 6, 5_000, 50


def seven_tokens():
    return sum(count_tokens((WORKSPACE / name).read_text()).tokens for name in SEVEN)


def composed(kind, task, workspace=WORKSPACE, config=None):
    """The prompt of a run of this task type, as the gate would compose it."""
    config = config or load(WORKSPACE / "quarterdeck.toml")
    request = RunRequest(workspace=str(workspace), task_type=kind, task=task)
    routed = route(request, config)
    named = words(
        routed, job=None, workspace=str(workspace), trigger=request.trigger, now=datetime(2026, 11, 21, 9, 41)
    )
    return routed, assemble(routed, config, workspace, named, ())


def plan_rows():
    """Task type, names injected, tokens, target, share of the seven files."""
    whole = seven_tokens()
    for kind, (task, target) in PLAN.items():
        routed, made = composed(kind, task)
        yield kind, routed.inject, made.prompt.tokens, target, made.prompt.tokens / whole


def plan_table():
    """The same as lines of Markdown."""
    whole = seven_tokens()
    lines = [
        "| kind of work | injected | tokens | target | less than the seven files |",
        "|---|---|---|---|---|",
        f"| every turn, everything | {', '.join(SEVEN)} | {whole:,} | | |",
    ]
    for kind, names, tokens, target, share in plan_rows():
        said = f"{target}" if tokens <= target else f"{target}, {tokens - target} over"
        sources = ", ".join((*names, *(["the task"] if PLAN[kind][0] else [])))
        lines.append(f"| {kind} | {sources} | {tokens:,} | {said} | {1 - share:.0%} |")
    return lines


def test_what_the_plan_saves():
    whole = count_tokens("".join(path.read_text() for path in sorted(WORKSPACE.glob("*.md")))).tokens
    print(f"\nthe seven files {seven_tokens():,} tokens, every Markdown file {whole:,}")
    print("\n".join(plan_table()))


@pytest.fixture
def thirty_kilobytes(tmp_path):
    """A workspace with an inject list of 30 KB, long enough ago to be known as settled."""
    for number in range(FILES):
        line = f"Line of file {number}: the tide turns at noon, and the slip is free from then on.\n"
        (tmp_path / f"{number}.md").write_text((line * 99)[:FILE_BYTES])
    while time.time_ns() - (tmp_path / f"{FILES - 1}.md").stat().st_ctime_ns < 2 * 10**8:
        pass
    return tmp_path


def test_composing_again_as_one_types(thirty_kilobytes):
    names = tuple(f"{number}.md" for number in range(FILES))
    config = Config(task_type={"chat": TaskType(inject=names)})
    composed("chat", "", thirty_kilobytes, config)  # builds the vocabulary
    for path in thirty_kilobytes.glob("*.md"):
        path.write_text(path.read_text() + "x")
    first = took(lambda: composed("chat", "t", thirty_kilobytes, config))
    while time.time_ns() - (thirty_kilobytes / "0.md").stat().st_ctime_ns < 2 * 10**8:
        pass
    composed("chat", "t", thirty_kilobytes, config)
    typed = "Summarise what changed in the plan since the spring tide, and who has to know of it."
    again = [
        took(lambda size=size: composed("chat", typed[: size % len(typed)], thirty_kilobytes, config))
        for size in range(ROUNDS)
    ]
    print(f"\nan inject list of {FILES * FILE_BYTES / 1000:.0f} KB: composed {first:.2f} ms when it has just changed,")
    print(
        f"  {sorted(again)[ROUNDS // 2]:.2f} ms (median), {max(again):.2f} ms (worst of {ROUNDS}) when nothing changed"
    )


def test_the_changes_of_a_large_skill():
    base = [f"line {number} of a long skill" for number in range(12_000)]
    cases = {
        "one line of 12,000": ("\n".join(base), "\n".join([*base[:6000], "another", *base[6001:]])),
        "every line": ("\n".join(base), "\n".join(line + "!" for line in base)),
        "half a megabyte of one letter": ("a\n" * 262_144, "b\n" + "a\n" * 262_143),
        "two letters, shifted": ("a\nb\n" * 131_072, "b\na\n" * 131_072),
        "in reverse": ("\n".join(base), "\n".join(reversed(base))),
    }
    print()
    for name, (before, after) in cases.items():
        print(f"  changes, {name:<30} {took(lambda before=before, after=after: changes(before, after)):8.0f} ms")


def took(work):
    """Milliseconds."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000
