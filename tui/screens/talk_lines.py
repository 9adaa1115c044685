"""How is one turn of a talk written: what was asked, what the gate said, what was answered, what it used?"""

from collections.abc import Sequence

from engine.contract.verdict import WAITING_WORDS, Estimate, ReceiptPart, Verdict
from state.runs import Run
from tui.actions.keymap import SHIPPED, Keymap
from tui.panes.runs import outcome_words, took, waits_tone
from tui.places.crumbs import is_named
from tui.reading.clients import called
from tui.reading.listener import RunTold
from tui.reading.talks import Talk, Turn, TurnUsage
from tui.reading.transcript import INDENT
from tui.screens.sheet import check_line
from tui.text import cost, duration, money, plural, token_words, tokens
from tui.theme import Tone
from tui.widgets.cells import Cell, cut, line_width

_EXACT = ("per_run", "session_delta")
"""Bases that need no word: reported for just this run."""


def title_line(found: Talk, now_ms: int, width: int, trail: Sequence[str] = ()) -> Cell:
    """Whose session it is, what its last run does, and what it is about, unless the way to this page says so."""
    session, last = found.session, found.detail.runs[0] if found.detail.runs else None
    before: Cell = ((called(session.agent or session.source), "accent"),)
    if last is not None:
        said, tone = outcome_words(last)
        length = took(last, now_ms)
        words = f"{said}{'' if length in ('-', 'now') else f', {length}'}"
        before = (*before, (f"   run {last.id} ", "dim"), (words, tone))
    about = session.title or session.job or f"session {session.id}"
    if is_named(about, trail):
        return before
    title: Cell = ((f"   {about}", "text"),)
    room = max(8, width - line_width(before))
    return (*before, *(title if line_width(title) <= room else cut(title, room)))


def turn_lines(turn: Turn, told: RunTold | None) -> list[Cell]:
    """What was asked, the verdict on it, what was answered, and how that ended."""
    body: list[Cell] = list(told.lines) if told is not None and (told.said or turn.run.open) else []
    if not body or (told is not None and not told.said and turn.answer):
        body += [((INDENT, "text"), (line, "text")) for line in turn.answer]
    checks: list[Cell] = [((INDENT, "text"), *check_line(check)) for check in turn.checks]
    return [*task_lines(turn.task), *_verdict(turn), *checks, *_carried(turn), *body, *_ending(turn), ()]


def task_lines(task: tuple[str, ...]) -> list[Cell]:
    return [((">" if number == 0 else " ", "accent"), (f" {line}", "bold")) for number, line in enumerate(task)]


def live_words(run: Run, told_tokens: int | None, now_ms: int, keys: Keymap = SHIPPED) -> Cell:
    """Of a run of which something may still become: for how long it works, and what it has used so far."""
    if run.state == "waiting":
        return ((f"it waits for {WAITING_WORDS.get(run.waits_for or '', 'its turn')}", waits_tone(run)),)
    if run.started_ms is None or not now_ms:
        return ((f"{run.state}, nothing told yet", "dim"),)
    used = max(run.used_tokens, told_tokens or 0)
    said = f"{token_words(used)} so far" if used else "no tokens told yet"
    working = f"{run.state} {_seconds(now_ms - run.started_ms)}"
    return ((working, "accent"), (f", {said}", "text"), (keys.told("   {session.interrupt} interrupts"), "dim"))


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


def _carried(turn: Turn) -> list[Cell]:
    """What its prompt was made of, and what it did to the provider's cache."""
    sent = [part for part in turn.parts if part.sent]
    if not turn.parts:
        return []
    unsent = turn.run.state in ("waiting", "refused")
    would = "would carry" if unsent else "carried"
    each = ", ".join(f"{part_name(part)} {tokens(part.tokens)}" for part in sent) or "nothing"
    held = ", ".join(part_name(part) for part in turn.parts if not part.sent)
    beside = f"; held already: {held}" if held else ""
    lines: list[Cell] = [
        ((INDENT, "text"), (f"{would} {plural(sum(part.tokens for part in sent), 'token')}: {each}{beside}", "dim"))
    ]
    if (broken := turn.cache_break) is not None and not unsent:
        said = f"cache broke at {broken.part}: {broken.why}; {plural(broken.lost_tokens, 'token')} read anew"
        lines.append(((INDENT, "text"), (said, "warn")))
    return lines


def part_name(part: ReceiptPart) -> str:
    """`file README.md`; `task` where both words are the same."""
    return part.kind if part.source in ("", part.kind) else f"{part.kind} {part.source}"


def _expected(estimate: Estimate) -> str:
    """`1.2k tokens likely, at most 2.1k, $0.02`; nothing of the kind where no model is to answer."""
    if estimate.basis == "none":
        return "no tokens expected, as no model is named"
    likely, most = tokens(estimate.likely_tokens), tokens(estimate.high_tokens)
    bound = f", at most {most}" if most != likely else ""
    price = "" if estimate.high_microusd is None else f", {money(estimate.high_microusd, short=False)}"
    return f"{token_words(estimate.likely_tokens)} likely{bound}{price}"


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
    used = _used(turn.used) if turn.used is not None else _unbooked(turn)
    return [(*head, (f"   {used}", "dim"))]


def _unbooked(turn: Turn) -> str:
    """Of a program of which no use was expected, none is known: that is not the same as none."""
    without = turn.estimate is not None and turn.estimate.basis == "none"
    return "its use is unknown" if without and turn.run.started_ms is not None else "nothing booked"


def _used(used: TurnUsage) -> str:
    """`12.2k tokens in (11.0k cached), 31 out, $0.06`; with what the numbers rest on where they are not exact."""
    cached = f" ({tokens(used.cached_tokens)} cached)" if used.cached_tokens else ""
    price = cost(used.cost_microusd, used.unpriced, used.responses, short=False)
    price = "no price" if price == "-" else price
    doubts = [used.basis] if used.basis not in _EXACT else []
    doubts += [used.confidence] if used.confidence not in ("final", *doubts) else []
    return ", ".join((f"{token_words(used.input_tokens)} in{cached}, {tokens(used.output_tokens)} out", price, *doubts))


def _seconds(passed_ms: int) -> str:
    """Whole ones: it is said anew each second."""
    seconds = max(0, passed_ms) // 1000
    return f"{seconds} s" if seconds < 60 else duration(seconds * 1000)
