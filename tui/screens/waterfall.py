"""How did a run spend its tokens, request by request? Each response that was booked: when it came, what was in it."""

from collections import Counter
from collections.abc import Sequence

from state.responses import BookedResponse
from tui.reading.details import RunDetail
from tui.reading.tools_seen import ToolSeen
from tui.text import duration, plural, tokens
from tui.theme import Tone
from tui.widgets.cells import Cell, Column, Placed, Span, cut, place, span

SHOWN = 100
"""Of more requests the last ones."""
MARKS: tuple[tuple[str, str, Tone], ...] = (
    ("cache_read_tokens", "=", "dim"),
    ("cache_write_tokens", "+", "accent"),
    ("input_tokens", "#", "text"),
    ("output_tokens", "o", "bold"),
)
"""In the order of the bar: what was read from the cache, written to it, put in beside it, and answered."""
BAR = "= + # o"
"""What the bar is of, in its marks; the head of the section says what each is."""
COLUMNS = (
    Column("at", 12, "right"),
    Column("after", 12, "right", drop=3),
    Column("tokens", 6, "right"),
    Column(BAR, 12, grows=True),
    Column("read", 6, "right", drop=2),
    Column("wrote", 6, "right", drop=5),
    Column("in", 6, "right", drop=4),
    Column("out", 6, "right", drop=1),
)


def waterfall_lines(detail: RunDetail, width: int) -> list[Cell]:
    """A head, then a line for each response. One sum for a whole run is no request: then only that is said."""
    run, rows = detail.run, detail.usage
    if not rows:
        return []
    if len(rows) == 1 and run.turns != 1 and rows[0].log is None:
        return [_head("requests", "one sum for the whole run; its agent tells of none by itself")]
    shown = rows[-SHOWN:]
    started_ms = run.started_ms or run.requested_ms
    before_ms = rows[-len(shown) - 1].at_ms if len(rows) > len(shown) else started_ms
    more = f"; the last {len(shown):,} of them" if len(rows) > len(shown) else ""
    said = f"{len(rows):,}{more}; = read from the cache, + written to it, # in, o out; after: tools in between included"
    at = [f"+{duration(row.at_ms - started_ms)}" for row in shown]
    return [_head("requests", said), *request_lines(shown, at, before_ms, width)]


def request_lines(rows: Sequence[BookedResponse], at: Sequence[str], before_ms: int | None, width: int) -> list[Cell]:
    """A line for each response, oldest first, with when it was; below heads, on one scale."""
    placed = place(COLUMNS, width - 2)
    most = max((_all(row) for row in rows), default=0) or 1
    room = next(at.width for at in placed if COLUMNS[at.index].grows)
    lines = [_line(placed, tuple(span(column.title, "dim") for column in COLUMNS))]
    for when, row in zip(at, rows, strict=True):
        after = "-" if before_ms is None else duration(row.at_ms - before_ms)
        lines.append(_line(placed, _cells(row, when, after, most, room)))
        before_ms = row.at_ms
    return lines


def _cells(row: BookedResponse, at: str, after: str, most: int, room: int) -> Sequence[Cell]:
    numbers = (row.cache_read_tokens, row.cache_write_tokens, row.input_tokens, row.output_tokens)
    return (
        span(at),
        span(after, "dim"),
        span(tokens(_all(row))),
        bar(row, most, room),
        *(span(tokens(number), "dim") for number in numbers),
    )


def bar(row: BookedResponse, most: int, room: int) -> Cell:
    """So many characters for what the largest request had. What was used at all has at least one."""
    parts = [(getattr(row, field), mark, tone) for field, mark, tone in MARKS]
    sizes = [max(1, number * room // most) if number else 0 for number, _, _ in parts]
    while sum(sizes) > room:
        largest = max(range(len(sizes)), key=lambda place: sizes[place])
        sizes[largest] -= 1
    return tuple((mark * size, tone) for size, (_, mark, tone) in zip(sizes, parts, strict=True) if size)


def tool_lines(tools: tuple[ToolSeen, ...] | None) -> list[Cell]:
    """What it used, in its order; nothing where that is not known, or where it used none."""
    if not tools:
        return []
    failed = sum(tool.ok is False for tool in tools)
    each = Counter(tool.tool for tool in tools)
    many = ", ".join(f"{name} {number:,}" for name, number in each.most_common(4))
    said = f"{plural(len(tools), 'use')}: {many}" + (f"; {failed:,} failed" if failed else "")
    return [_head("tools", f"{said}; in this order"), *map(_tool_line, tools)]


def _tool_line(tool: ToolSeen) -> Cell:
    return (("  ", "text"), _BECAME[tool.ok], (f"{tool.tool}  ", "text"), (tool.what, "dim"))


_BECAME: dict[bool | None, Span] = {True: ("ok  ", "dim"), False: ("NO  ", "warn"), None: ("?   ", "dim")}


def _all(row: BookedResponse) -> int:
    return row.input_tokens + row.cache_read_tokens + row.cache_write_tokens + row.output_tokens


def _line(placed: Sequence[Placed], cells: Sequence[Cell]) -> Cell:
    parts: list[Span] = [("  ", "text")]
    for at in placed:
        parts += [*cut(cells[at.index], at.width, COLUMNS[at.index].align), (" ", "text")]
    return tuple(parts[:-1])


def _head(title: str, said: str) -> Cell:
    return ((title, "head"), (f"   {said}", "dim"))
