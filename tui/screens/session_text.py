"""What does the page of a session say? Each conversation with what is known of it, and in it what was said, run by
run."""

from collections.abc import Mapping
from datetime import tzinfo

from state.sessions import OURS, Generation
from tui.reading.listener import RunTold
from tui.reading.talks import Talk
from tui.reading.transcript import INDENT
from tui.screens import timeline
from tui.screens.output import Section
from tui.screens.session_figures import figure_lines
from tui.screens.talk_lines import task_lines, turn_lines
from tui.screens.waterfall import request_lines
from tui.text import TREND_MARKS, ago, clock, cost, percent, plural, tokens
from tui.widgets.cells import Cell, line_width, span

WAITS, LATEST = ("sent", 0), ("responses", 0)
"""Keys: what was said and is no run yet; the last responses."""


def sections(
    found: Talk,
    rows: tuple[timeline.Entry, ...],
    told: Mapping[int, RunTold],
    sent: str | None,
    width: int,
    now_ms: int,
    zone: tzinfo | None,
) -> list[Section]:
    """From the conversation in which the first of the turns was on. Of a session without runs of ours its last
    responses are all that is known."""
    turns = {turn.run.id: turn for turn in found.turns}
    generations = {one.id: one for one in found.detail.generations}
    text: list[Section] = []
    for row in rows[_first(rows, set(turns)) :]:
        if row.kind == "generation":
            text.append(Section(row.key, tuple(_generation(found, generations[row.id], now_ms)), 11))
        elif turn := turns.get(row.id):
            text.append(Section(row.key, tuple(turn_lines(turn, told.get(row.id))), len(INDENT)))
    if not found.detail.runs and found.latest:
        text.append(Section(LATEST, tuple(_latest(found, width, now_ms, zone))))
    if sent is not None:
        waits: Cell = ((INDENT, "text"), ("is judged", "dim"))
        text.append(Section(WAITS, (*task_lines(tuple(sent.split("\n"))), waits)))
    return text


def _first(rows: tuple[timeline.Entry, ...], turns: set[int]) -> int:
    """The conversation before the first turn; of a session without any, the first of all."""
    first = next((at for at, row in enumerate(rows) if row.kind == "run" and row.id in turns), None)
    if first is None:
        return 0
    return next((at for at in range(first, -1, -1) if rows[at].kind == "generation"), first)


def summary_line(talk: Talk, now_ms: int, width: int) -> Cell:
    """What all of it has used, and where: when it was active is told in any width, the rest as far as there is room."""
    detail = talk.detail
    session, generations = detail.session, detail.generations
    standing = sum(one.undone_ms is None for one in generations)
    kind = f"{session.lane} lane" if session.source == OURS else "observed: watched and counted, not gated"
    whole = sum(map(timeline.spent, generations))
    used = f"{plural(whole, 'token')}, {_money_words(generations)}"
    counted = bool(whole) or any(one.responses > one.inferred for one in generations)
    found = detail.figures.get(session.generation_id or 0)
    known = found is not None and (found.ratio is not None or found.fill is not None)
    trend = TREND_MARKS.get(found.trend or "", "") if found else ""
    figures = f"   ctx {percent(found.fill)}, cache {percent(found.ratio)}{trend}" if found and known else ""
    parts: list[tuple[int, Cell]] = [
        (0, span(used if counted else "tokens and cost unknown")),
        (4, span(f" over {plural(standing, 'generation')}", "dim")),
        (2, _due(talk)),
        (1, span(figures)),
        (3, span(f"   {kind}", "dim")),
        (5, span(f"   {session.workspace or 'workspace unknown'}", "dim")),
        (0, span(f"   active {ago(session.last_active_ms, now_ms)}", "dim")),
    ]
    return _fitting(parts, width)


def _fitting(parts: list[tuple[int, Cell]], width: int) -> Cell:
    """As many as fit: those with the highest number go first, those with 0 never."""
    while sum(line_width(part) for _, part in parts) > width and any(rank for rank, _ in parts):
        parts.remove(max(parts, key=lambda one: one[0]))
    return tuple(piece for _, part in parts for piece in part)


def _due(talk: Talk) -> Cell:
    """That the next run begins afresh, until one has."""
    here = next((one for one in talk.detail.generations if one.id == talk.session.generation_id), None)
    due = here is not None and here.number > 1 and here.provider_id is None
    return ((f"   generation {here.number} is due", "accent"),) if here is not None and due else ()


def _latest(found: Talk, width: int, now_ms: int, zone: tzinfo | None) -> list[Cell]:
    head: Cell = (("responses", "head"), (f"   the last {len(found.latest)}, as its log tells", "dim"))
    times = [clock(one.at_ms, zone) for one in found.latest]
    return [head, *request_lines(found.latest, times, None, width), ()]


def _generation(found: Talk, generation: Generation, now_ms: int) -> list[Cell]:
    here = "   the session stands in it" if generation.id == found.session.generation_id else ""
    head: Cell = (
        (f"generation {generation.number}", "head"),
        (f"   {timeline.begun_words(generation)}", "dim"),
        (here, "accent"),
    )
    return [head, *_used(generation), *figure_lines(found.detail, generation, now_ms), ()]


def _used(generation: Generation) -> list[Cell]:
    if not generation.responses:
        known = "nothing counted yet" if generation.read or generation.provider_id is None else "not read yet"
        return [(("used       ", "dim"), (known, "dim"))]
    parts = (
        f"{tokens(generation.input_tokens)} in, {tokens(generation.cache_read_tokens)} from the cache,"
        f" {tokens(generation.cache_write_tokens)} into it, {tokens(generation.output_tokens)} out"
    )
    price = cost(generation.cost_microusd, generation.unpriced, generation.responses, short=False)
    many = plural(generation.responses, "response")
    price = "no price" if price == "-" else price
    beside = f"   {many}, {generation.model or 'model unknown'}"
    return [(("used       ", "dim"), (f"{parts}, {price}", "text"), (beside, "dim"))]


def _money_words(generations: tuple[Generation, ...]) -> str:
    """`$0.83`, `$0.83 (12 of 40 responses without a price)`, `cost unknown`."""
    responses = sum(generation.responses for generation in generations)
    unpriced = sum(generation.unpriced for generation in generations)
    said = cost(sum(generation.cost_microusd for generation in generations), unpriced, responses, short=False)
    if responses == 0 or said == "-":
        return "cost unknown"
    return f"{said} ({unpriced:,} of {plural(responses, 'response')} without a price)" if unpriced else said
