"""How is one turn of a talk written: what was asked, what the gate said, what was answered, what it used?"""

from engine.contract.verdict import WAITING_WORDS, Estimate, Verdict
from state.runs import Run
from tui.listener import RunTold
from tui.panes.runs import outcome_words, took, waits_tone
from tui.screens.sheet import check_line
from tui.talks import Talk, Turn, TurnUsage
from tui.text import cost, duration, money, plural, tokens
from tui.theme import Tone
from tui.transcript import INDENT
from tui.widgets.cells import Cell, cut, line_width

_EXACT = ("per_run", "session_delta")
"""Bases that need no word: reported for just this run."""


def title_line(found: Talk, now_ms: int, width: int) -> Cell:
    """Whose session it is, and what its last run does."""
    session, last = found.session, found.turns[-1].run if found.turns else None
    before: Cell = ((f"{session.agent or session.source} ", "accent"), ("> ", "dim"))
    after: Cell = ()
    if last is not None:
        said, tone = outcome_words(last)
        length = took(last, now_ms)
        words = f"{said}{'' if length in ('-', 'now') else f', {length}'}"
        after = (("   ", "dim"), (f"run {last.id} ", "dim"), (words, tone))
    title: Cell = ((session.title or session.job or f"session {session.id}", "bold"),)
    room = max(8, width - line_width(before) - line_width(after))
    return (*before, *(title if line_width(title) <= room else cut(title, room)), *after)


def turn_lines(turn: Turn, told: RunTold | None) -> list[Cell]:
    """What was asked, the verdict on it, what was answered, and how that ended."""
    body: list[Cell] = list(told.lines) if told is not None and (told.said or turn.run.open) else []
    if not body or (told is not None and not told.said and turn.answer):
        body += [((INDENT, "text"), (line, "text")) for line in turn.answer]
    checks: list[Cell] = [((INDENT, "text"), *check_line(check)) for check in turn.checks]
    return [*task_lines(turn.task), *_verdict(turn), *checks, *body, *_ending(turn), ()]


def task_lines(task: tuple[str, ...]) -> list[Cell]:
    return [((">" if number == 0 else " ", "accent"), (f" {line}", "bold")) for number, line in enumerate(task)]


def live_words(run: Run, told: RunTold | None, now_ms: int) -> Cell:
    """Of a run of which something may still become: for how long it works, and what it has used so far."""
    if run.state == "waiting":
        return ((f"it waits for {WAITING_WORDS.get(run.waits_for or '', 'its turn')}", waits_tone(run)),)
    if run.started_ms is None or not now_ms:
        return ((f"{run.state}, nothing told yet", "dim"),)
    used = max(run.used_tokens, (told.tokens if told is not None else None) or 0)
    said = f"{tokens(used)} tokens so far" if used else "no tokens told yet"
    return ((f"{run.state} {_seconds(now_ms - run.started_ms)}", "accent"), (f", {said}", "text"))


def preview_words(verdict: Verdict) -> Cell:
    """What sending the line would come to: what fails first, and what would mend it; else what it is likely to use."""
    if verdict.failed:
        first = verdict.failed[0]
        more = f" (and {plural(len(verdict.failed) - 1, 'check')} more)" if len(verdict.failed) > 1 else ""
        return (("NO  ", "bad"), (f"{first.name}: {first.why}{more}", "text"), (f"   {first.fix}", "accent"))
    warned = "".join(f"; {check.warning}" for check in verdict.checks if check.warning)
    return ((f"this turn: {_expected(verdict.estimate)}; every check passes", "dim"), (warned, "warn"))


def _verdict(turn: Turn) -> list[Cell]:
    """In one line; what fails or warns is told below it."""
    run, failed = turn.run, sum(not check.ok for check in turn.checks)
    if not turn.passed and not failed:
        return []
    passed = f"{plural(turn.passed, 'check')} pass{'es' if turn.passed == 1 else ''}"
    if failed:
        what = "waits" if run.state == "waiting" else "refused" if run.state == "refused" else "let through since"
        tone: Tone = "warn" if what == "waits" else "bad" if what == "refused" else "dim"
        return [
            ((INDENT, "text"), (what, tone), (f": {failed} of {plural(turn.passed + failed, 'check')} failed", "dim"))
        ]
    likely = f", {_expected(turn.estimate)}" if turn.estimate is not None else ""
    return [((INDENT, "text"), (f"admitted: {passed}{likely}", "dim"))]


def _expected(estimate: Estimate) -> str:
    """`1.2k tokens likely, at most 2.1k, $0.02`."""
    likely, most = tokens(estimate.likely_tokens), tokens(estimate.high_tokens)
    bound = f", at most {most}" if most != likely else ""
    price = "" if estimate.high_microusd is None else f", {money(estimate.high_microusd, short=False)}"
    return f"{likely} tokens likely{bound}{price}"


def _ending(turn: Turn) -> list[Cell]:
    """Outcome, duration, tokens, cost: one line. What a refusal lacked is told above."""
    run = turn.run
    if run.open or (run.state == "refused" and not all(check.ok for check in turn.checks)):
        return []
    said, tone = outcome_words(run)
    length = took(run, 0)
    lasted = "" if run.state == "refused" or length == "-" else f" in {length}"
    why = f": {run.why}" if run.why and run.outcome != "succeeded" else ""
    head: Cell = ((INDENT, "text"), (f"{said}{lasted}{why}", "dim" if run.outcome == "succeeded" else tone))
    if run.state == "refused":
        return [head]
    used = _used(turn.used) if turn.used is not None else "nothing booked"
    return [(*head, (f"   {used}", "dim"))]


def _used(used: TurnUsage) -> str:
    """`12.2k tokens in (11.0k cached), 31 out, $0.06`; with what the numbers rest on where they are not exact."""
    cached = f" ({tokens(used.cached_tokens)} cached)" if used.cached_tokens else ""
    price = cost(used.cost_microusd, used.unpriced, used.responses, short=False)
    price = "no price" if price == "-" else price
    doubts = [used.basis] if used.basis not in _EXACT else []
    doubts += [used.confidence] if used.confidence not in ("final", *doubts) else []
    return ", ".join(
        (f"{tokens(used.input_tokens)} tokens in{cached}, {tokens(used.output_tokens)} out", price, *doubts)
    )


def _seconds(passed_ms: int) -> str:
    """Whole ones: it is said anew each second."""
    seconds = max(0, passed_ms) // 1000
    return f"{seconds} s" if seconds < 60 else duration(seconds * 1000)
