"""What does the page of a run say? Section by section, from what was read of it to lines."""

from collections.abc import Sequence
from datetime import tzinfo
from itertools import zip_longest

from engine.contract.verdict import ReceiptPart
from engine.sessions.reuse import WORDS
from state.runs import Run
from tui.actions.keymap import SHIPPED, Keymap
from tui.panes.runs import outcome_words, took
from tui.places.crumbs import is_named
from tui.reading.clients import called
from tui.reading.details import RunDetail
from tui.screens.output import Section
from tui.screens.run_gate import fact, gate_lines
from tui.screens.run_usage import usage_lines
from tui.screens.sheet import check_line
from tui.screens.waterfall import tool_lines, waterfall_lines
from tui.text import ago, plural
from tui.theme import Tone
from tui.widgets.cells import Cell, cut, line_width, span, wrap

_FACT_INDENT, _CHECK_INDENT = 11, 18
_SIDE_BY_SIDE, _USAGE_WIDTH = 112, 62
"""From so many cells on the prompt and the usage stand side by side, the usage in so many."""
_NUMBERS, _CHARS, _STABLE = 22, 9, 8
"""Cells of a part's kind and tokens, of its characters, and of whether it is stable."""
_LEAST_SOURCE = 14
"""With less room than that for what a part was made of, it has a line of its own."""


def title_line(detail: RunDetail, now_ms: int, width: int, trail: Sequence[str] = ()) -> Cell:
    """Who, how it ended, and of what, unless the way to this page says so; a long title gives way to the rest."""
    run = detail.run
    said, tone = outcome_words(run)
    took_words = took(run, now_ms)
    length = "" if took_words in ("-", "now") else f" {'for' if run.live else 'in'} {took_words}"
    before: Cell = ((called(run.agent), "accent"), (f"   {said}{length}", tone))
    about = detail.session_title or run.job or run.workspace
    if is_named(about, trail):
        return before
    title: Cell = ((f"   {about}", "text"),)
    room = max(8, width - line_width(before))
    return (*before, *(title if line_width(title) <= room else cut(title, room)))


def sections(
    detail: RunDetail,
    now_ms: int,
    width: int,
    zone: tzinfo | None = None,
    told: tuple[Cell, ...] = (),
    keys: Keymap = SHIPPED,
) -> list[Section]:
    """The page. `told`: what a live run has told so far, in place of its plain output."""
    found = (
        ("facts", _FACT_INDENT, [*_facts(detail, now_ms), *gate_lines(detail, now_ms, zone, keys)]),
        ("verdict", _CHECK_INDENT, _checks(detail)),
        *((name, 2, lines) for name, lines in _prompt_and_usage(detail, width)),
        ("requests", 2, waterfall_lines(detail, width)),
        ("tools", 6, tool_lines(detail.tools)),
        ("output", 2, _answer(detail, told)),
        ("errors", 2, _output("errors", detail.errors, False) if detail.errors else []),
    )
    return [Section(name, (*lines, ()), indent) for name, indent, lines in found if lines]


def _began(run: Run) -> bool:
    """Whether there is anything that it could have used or said."""
    return run.state not in ("waiting", "refused")


def _prompt_and_usage(detail: RunDetail, width: int) -> list[tuple[str, list[Cell]]]:
    """Side by side where there is room, else one below the other."""
    usage = usage_lines(detail) if detail.run.state != "waiting" else []
    if width < _SIDE_BY_SIDE or not detail.parts or not usage:
        return [("prompt", _prompt(detail, width)), ("usage", usage)]
    half = width - _USAGE_WIDTH
    right = [part for line in usage for part in wrap(line, _USAGE_WIDTH, 15)]
    left = [part for line in _prompt(detail, half - 2, chars=False) for part in wrap(line, half - 2, 2)]
    pairs = zip_longest(left, right, fillvalue=())
    return [("prompt", [(*cut(one, half), *cut(other, _USAGE_WIDTH)) for one, other in pairs])]


def _facts(detail: RunDetail, now_ms: int) -> list[Cell]:
    run = detail.run
    none = "it has no conversation yet" if run.open else "refused before it had a conversation"
    reason = WORDS.get(run.reuse_reason or "", run.reuse_reason or none)
    where = f"   generation {detail.generation}" if detail.generation is not None else ""
    lines = [
        fact(
            "asked",
            f"{run.trigger}, {ago(run.requested_ms, now_ms)}",
            f"{run.task_type}, {run.lane} lane, {run.adapter}",
        ),
        fact("task", run.task or (f"job {run.job}" if run.job else "-")),
        fact("why", f"{reason}{where}"),
        fact("workspace", run.workspace),
        *_given(run),
    ]
    if said := run.why or detail.said or run.summary:
        tone: Tone = "bad" if run.why and not run.open and run.outcome != "succeeded" else "text"
        lines.append(fact("because" if run.open else "outcome", said, tone=tone))
    told = f"exited with code {run.exit_code}:" in f"{run.why}:"
    if (run.exit_code is not None and not told) or run.signal is not None:
        how = f"exit code {run.exit_code}" if run.signal is None else f"ended by signal {run.signal}"
        lines.append(fact("", how))
    return lines


def _given(run: Run) -> list[Cell]:
    """What the agent was given, as far as it is known."""
    said = []
    if run.task_session_reused is not None:
        said.append("session reused for its task" if run.task_session_reused else "session new to its task")
    if run.prompt_chars is not None:
        said.append(f"prompt {plural(run.prompt_chars, 'char')}")
    if run.instructions_chars is not None:
        said.append(f"instructions {plural(run.instructions_chars, 'char')}")
    elif run.has_instructions_file is not None:
        said.append("an instructions file" if run.has_instructions_file else "no instructions file")
    if run.skill_count is not None:
        mark = f" ({run.skill_set_hash[:8]})" if run.skill_set_hash else ""
        said.append(f"{plural(run.skill_count, 'skill')}{mark}")
    if run.context_fetch_mode is not None:
        said.append(f"context {run.context_fetch_mode}")
    return [fact("given", ", ".join(said))] if said else []


def _checks(detail: RunDetail) -> list[Cell]:
    verdict = detail.verdict
    if verdict is None:
        return [_head("verdict", "not readable")]
    warned = sum(bool(check.ok and check.warning) for check in verdict.checks)
    said = "every check passed" + (f", {plural(warned, 'warning')}" if warned else "")
    if not verdict.ok:
        waits = "it waits" if detail.run.state == "waiting" else "nothing was spent"
        said = f"{plural(len(verdict.failed), 'check')} failed; {waits}"
    return [_head("verdict", said), *((("  ", "text"), *check_line(check)) for check in verdict.checks)]


def _prompt(detail: RunDetail, width: int, chars: bool = True) -> list[Cell]:
    if not detail.parts:
        return [_head("prompt", "none was composed")]
    wide = width - 2 - _NUMBERS - (_CHARS if chars else 0) - _STABLE
    wide = wide if wide >= _LEAST_SOURCE else 0
    sent = [part for part in detail.parts if part.sent]
    tokens, letters = sum(part.tokens for part in sent), sum(part.chars for part in sent)
    more = detail.everything_tokens
    everything = f"; {more:,} with everything" if more is not None and more > tokens else ""
    head = f"  {'part':<{wide}}{'kind':<13}{'tokens':>9}{'chars' if chars else '':>{_CHARS if chars else 0}}  stable"
    total = f"  {'total':<{max(wide, 13)}}{tokens:>{_NUMBERS + wide - max(wide, 13)},}"
    return [
        _head("prompt", f"{_SENT.get(detail.run.state, 'as it was sent')}{everything}"),
        *([span(head, "dim")] if wide else []),
        *(line for part in detail.parts for line in _part_lines(part, wide, chars)),
        span(f"{total}{letters:>{_CHARS},}" if chars else total),
    ]


_SENT = {"waiting": "as it would be sent", "refused": "as it would have been sent"}
"""By the state of a run that was not started."""


def _part_lines(part: ReceiptPart, wide: int, chars: bool) -> list[Cell]:
    """One line, or two where what it was made of is longer than its column."""
    source: Cell = (("  ", "text"), (part.source, "text"))
    numbers: Cell = (
        (f"{part.kind:<13}", "dim"),
        (f"{_sent(part, part.tokens):>9}", "text"),
        (f"{_sent(part, part.chars):>{_CHARS}}" if chars else "", "dim"),
        (f"  {'yes' if part.stable else 'no'}" if part.sent else "  (held)", "dim"),
    )
    if line_width(source) <= wide + 1:
        return [(*cut(source, wide + 2), *numbers)]
    return [source, (("  " + " " * wide, "text"), *numbers)]


def _sent(part: ReceiptPart, number: int) -> str:
    """Nothing of a part that the conversation held already."""
    return f"{number:,}" if part.sent else "-"


def _answer(detail: RunDetail, told: tuple[Cell, ...]) -> list[Cell]:
    if detail.run.live and told:
        return [_head("output", "as it comes"), *told]
    return _output("output", detail.tail, detail.run.live) if _began(detail.run) or detail.tail else []


def _output(name: str, lines: tuple[str, ...], live: bool) -> list[Cell]:
    said = "as it comes" if live else "" if lines else "it said nothing"
    return [_head(name, said), *(((f"  {line}", "text"),) for line in lines)]


def _head(title: str, said: str) -> Cell:
    return ((title, "head"), (f"   {said}", "dim"))
