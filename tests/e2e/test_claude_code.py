"""Does a real Claude Code do what is asked, through the gate and under a keeper, and is what it used booked exactly?

What the model server billed is compared with what the client was told (a call that was cut or hung is billed, and told
to nobody) and with what is in the books, once the client's log has been read.
"""

import json
import os
import signal
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.modelserver import clean_env, client, refused_url

MODEL = "claude-sonnet-5-5"
CONFIG = """\
[limits]
grace = "2s"

[engine]
max_runs = 12

[adapter.claude_code]
program = "{program}"

[agent.coder]
adapter = "claude_code"
model = "{model}"
env = ["ANTHROPIC_BASE_URL", "CLAUDE_CODE_MAX_RETRIES"]
permissions = "deny"
linger = "0s"

[agent.lost]
adapter = "claude_code"
model = "{model}"
env = ["CLAUDE_CODE_MAX_RETRIES"]
secrets = {{ ANTHROPIC_BASE_URL = "cmd:echo {refused}" }}

[budget.day]
window = "day"
tokens = 1000000
"""


@pytest.fixture
def coder(desk, server):
    """A desk whose agent `coder` is the real client, and whose model is the server."""
    prepare(desk, server)
    return desk


def prepare(desk, server):
    program = client("claude")
    known = clean_env(desk.home, program.parent, server, "claude")
    desk.env |= {name: known[name] for name in ("ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "PATH")}
    desk.env["CLAUDE_CODE_MAX_RETRIES"] = "1"
    desk.configure(CONFIG.format(program=program, model=MODEL, refused=refused_url()))


def run(desk, task, *words, code=0):
    return desk.json("run", "--agent", "coder", "--timeout", "60s", "--task", task, *words, code=code)


PARTS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")


def booked(desk, run_id):
    """What is in the books for a run, and whether as its log told it."""
    usage = desk.json("run", "show", str(run_id))["usage"]
    return tuple(usage[part] for part in PARTS)


def cost(calls, *, reported=True):
    """What these calls cost, or what of it the client was told."""
    kept = [call.billed for call in calls if call.reported or not reported]
    return tuple(sum(getattr(one, part) for one in kept) for part in PARTS)


def tool(name, **given):
    return f"[[tool:{name}:{json.dumps(given)}]]"


def survivors(desk):
    """Every process that belongs to a run on this desk."""
    mark = f"HOME={desk.home}".encode()

    def belongs(pid):
        try:
            variables = Path("/proc", pid, "environ").read_bytes().split(b"\0")
        except OSError:
            return False
        return mark in variables and any(one.startswith(b"QUARTERDECK_RUN=") for one in variables)

    return [pid for pid in os.listdir("/proc") if pid.isdigit() and belongs(pid)]  # noqa: PTH208


def test_a_conversation_begins_goes_on_and_is_copied_and_each_run_is_booked_for_itself(coder, server):
    coder.write("AGENT.md", "Keep to the harbour rules.")
    coder.configure(coder.config_file.read_text().replace("[agent.coder]", '[agent.coder]\ninstructions = "AGENT.md"'))
    seen, made = 0, []
    for words in ((), (), ("--fork",)):
        session = ("--session", str(made[0]["session"])) if words else ()
        made.append(run(coder, f"turn [[say:{len(made)}]]", *session, *words))
        calls, seen = server.calls[seen:], len(server.calls)
        assert cost(calls) == cost(calls, reported=False)
        assert tuple(made[-1]["usage"][part] for part in PARTS) == cost(calls)
    first, second, fork = server.calls
    assert first.session == second.session != fork.session
    assert [call.billed.cache_read_tokens > 0 for call in server.calls] == [False, True, True]
    assert made[0]["estimate"]["overhead_tokens"] * 4 == pytest.approx(first.total_chars, rel=0.1)
    sent = [any(part["sent"] for part in one["receipt"]["parts"] if part["kind"] == "instructions") for one in made]
    assert sent == [True, False, False]
    assert [json.dumps(call.body).count("harbour rules") for call in server.calls] == [1, 1, 1]
    coder.write("AGENT.md", "Keep to the new harbour rules.")
    changed = run(coder, "turn [[say:4]]", "--session", str(made[0]["session"]))
    assert changed["receipt"]["parts"][0]["sent"]
    assert json.dumps(server.calls[-1].body).count("new harbour rules") == 1
    made, calls = [*made, changed], server.calls
    coder.json("usage")
    assert [booked(coder, one["run"]) for one in made] == [cost([call]) for call in calls]


def test_a_subagent_in_the_background_is_booked_with_its_run(coder, server):
    asked = tool("Agent", description="sub", prompt="look [[say:found it]]", subagent_type="general-purpose")
    made = spawn(coder, f"go {asked} [[say:parent done]]", "--tools", "Agent,Read", "--max-injected", "5k")
    assert made["outcome"] == "succeeded"
    assert made["text"] == "parent done\n\nparent done"
    assert len(server.calls) == made["turns"] == 4
    coder.json("usage")
    assert booked(coder, made["run"]) == cost(server.calls)


def test_writes_within_the_scope_need_no_asking_and_all_else_is_denied(coder):
    work = str(coder.workspace)
    uses = [
        tool("Write", file_path=f"{work}/notes/in.md", content="x"),
        tool("Write", file_path=f"{work}/out.md", content="x"),
        tool("Bash", command="touch made-by-bash", description="d"),
    ]
    made = spawn(
        coder, f"go {' '.join(uses)} [[say:done]]", "--tools", "Write,Bash", "--can-write", "notes/", "--sandbox", "off"
    )
    assert made["outcome"] == "succeeded"
    assert made["changes"]["violations"] == []
    assert [path.name for path in coder.workspace.rglob("*") if path.is_file()] == ["in.md"]


def test_what_it_may_not_do_unasked_it_asks(coder, wait_until):
    uses = [tool("Bash", command=f"touch {name}", description="d") for name in ("yes", "no")]
    words = ("--permissions", "ask", "--tools", "Bash", "--detach")
    made = spawn(coder, f"go {' '.join(uses)} [[say:done]]", *words)
    for verb in ("approve", "deny"):
        asked = wait_until(lambda: coder.json("approvals")["approvals"], "it asks")
        coder.json(verb, str(asked[0]["approval"]))
    shown = wait_until(lambda: ended(coder, made["run"]), "it ends")
    assert (shown["outcome"], shown["text"]) == ("succeeded", "done")
    assert ((coder.workspace / "yes").exists(), (coder.workspace / "no").exists()) == (True, False)
    assert shown["sandbox"].startswith("landlock") or shown["sandbox"] == "advisory"
    assert shown["changes"]["violations"] == [], "it was allowed"


def test_an_unknown_conversation_begins_afresh(coder, server):
    made = run(coder, "one [[say:1]]")
    for log in (coder.home / ".claude" / "projects").rglob("*.jsonl"):
        log.unlink()
    again = run(coder, "two [[say:2]]")
    assert (again["outcome"], again["text"], again["session"]) == ("succeeded", "2", made["session"])
    assert len({call.session for call in server.calls}) == 2


class Case(NamedTuple):
    """What happens to a run, and what has to come of it."""

    task: str
    outcome: str
    booked: str
    """`billed`: all that was billed. `last`: the last call alone, the client having thrown away those before.
    `estimate`: nothing was told."""
    words: tuple[str, ...] = ()
    agent: str = "coder"
    why: str = ""
    ends: str = ""
    """By whom."""


SHORT = ("--timeout", "8s")
CASES = {
    "hang before headers": Case("c [[hang:headers]]", "timed_out", "estimate", SHORT),
    "hang in the answer": Case("d [[hang:mid]]", "timed_out", "billed", SHORT),
    "silence": Case("e [[hang:mid]]", "silent", "billed", ("--silence", "6s")),
    "429": Case("a [[error:429:1]] [[retryafter:1]] [[say:ok]]", "succeeded", "billed"),
    "529": Case("b [[error:529]]", "failed", "billed", why="API Error: 529"),
    "cut": Case("f [[drop:mid:1]] [[say:ok]]", "succeeded", "last"),
    "malformed": Case("g [[malformed:1]] [[say:ok]]", "succeeded", "billed"),
    "refused": Case("h", "failed", "billed", agent="lost", why="API Error"),
    "cancelled": Case("i [[hang:mid]]", "cancelled", "billed", ends="stop"),
    "killed": Case("j [[hang:mid]]", "crashed", "billed", ends="kill"),
}


def test_whatever_goes_wrong_ends_well(coder, server, wait_until):
    """Each with the right outcome, no process left, its usage kept as far as it was told, and nothing held for it."""
    runs = {name: spawn(coder, *_words(case), agent=case.agent)["run"] for name, case in CASES.items()}
    for name, case in CASES.items():
        if case.ends:
            output = coder.state / "runs" / str(runs[name]) / "stdout.log"
            wait_until(lambda output=output: output.exists() and "text_delta" in output.read_text(), f"{name} hangs")
        _end(coder, case, runs[name])
    shown = {name: wait_until(lambda one=one: ended(coder, one), f"{name} ends") for name, one in runs.items()}

    assert {name: one["outcome"] for name, one in shown.items()} == {name: case.outcome for name, case in CASES.items()}
    assert [name for name, case in CASES.items() if case.why not in shown[name]["why"]] == []
    assert [name for name in ("hang in the answer", "cancelled", "killed") if not shown[name]["text"]] == []
    assert survivors(coder) == []
    coder.json("usage")
    wrong = {}
    for name, case in CASES.items():
        calls = [call for call in server.calls if call.prompt.startswith(case.task)]
        wanted = {"billed": cost(calls, reported=False), "last": cost(calls[-1:]), "estimate": None}[case.booked]
        kept = booked(coder, runs[name]) if shown[name]["usage"]["basis"] != "estimated" else None
        if kept != wanted:
            wrong[name] = (kept, wanted)
    assert wrong == {}
    assert coder.json("budget", "list")["budgets"][0]["held"] == 0


def _words(case):
    return (case.task, *case.words, "--tools", "Read", "--detach")


def _end(desk, case, run_id):
    if case.ends == "stop":
        desk.json("run", "stop", str(run_id))
    if case.ends == "kill":
        keeper = json.loads((desk.state / "runs" / str(run_id) / "keeper.json").read_text())
        os.kill(keeper["child_pid"], signal.SIGKILL)


def spawn(desk, task, *words, agent="coder", code=0):
    return desk.json("spawn", "--agent", agent, "--task", task, *words, code=code)


def ended(desk, run_id):
    if not (desk.state / "runs" / str(run_id) / "end.json").exists():  # looked at in no time, so it may be often
        return None
    shown = desk.json("run", "show", str(run_id))
    return shown if shown["outcome"] else None


def test_a_run_cannot_change_what_its_program_does_next(coder):
    settings = coder.home / ".claude" / "settings.json"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text("{}")
    hook = tool("Bash", command=f"echo '[]' > {settings}; touch {settings.parent}/CLAUDE.md", description="d")
    made = spawn(coder, f"go {hook} [[say:done]]", "--tools", "Bash", "--permissions", "allow")
    assert (made["outcome"], made["text"]) == ("succeeded", "done")
    assert settings.read_text() == "{}"
    assert not settings.with_name("CLAUDE.md").exists()
