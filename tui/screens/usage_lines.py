"""How does the monitoring screen look? Pure: from what was read and the room there is to lines, the newest at the
right, every figure in a column of its own."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING

from engine.config.rules import ADAPTERS
from state.rollups import Sums
from tui.lists.fresh import Fresh
from tui.panes.budgets import LEVEL_TONES, METER, band, outlook, resets, spent, stale, window_title, window_words
from tui.reading.clients import called
from tui.reading.live_usage import LiveUsage, Share
from tui.reading.views import BudgetBoard
from tui.text import amount, cost, percent, plural, tokens
from tui.theme import Tone
from tui.widgets.cells import Cell, Column, cut, place, span, wrap
from tui.widgets.meter import meter
from tui.widgets.spark import bars

if TYPE_CHECKING:
    from engine.runtime.boards import BudgetRow, SubscriptionRow

SIDE_BY_SIDE = 100
"""From so many cells on, the hour and the day stand beside each other."""
TALL = 30
"""From so many lines on, bars are three lines high."""
_BETWEEN = 4
_LABEL = 16
SHARES_WIDTH = 84
SHARES = (
    Column("", _LABEL, grows=True),
    Column("tok/min", 7, "right"),
    Column("last hour", 9, "right", drop=3),
    Column("today", 8, "right"),
    Column("share", 5, "right", drop=1),
    Column("cost", 7, "right"),
    Column("cache", 5, "right", drop=2),
)
_LIMITS = (
    Column("budgets", _LABEL),
    Column("spent", 9, "right"),
    Column("", METER),
    Column("limit", 9, "right"),
    Column("at the end", 15),
    Column("likely, low-high", 20, "right", drop=2),
    Column("window, counts", 34, drop=1, grows=True),
)
_HEADS = {"model": "by model", "lane": "by lane", "agent": "by agent", "source": "by source"}
_NOBODY = {"model": "unknown", "agent": "no agent of ours"}


def usage_lines(
    usage: LiveUsage, board: BudgetBoard | None, room: tuple[int, int], now_ms: int, zone: tzinfo | None, fresh: Fresh
) -> list[Cell]:
    """All of it, for a page that scrolls; `room` is its width and the height of the terminal."""
    width, height = room
    return [
        *_pace_lines(usage, width, 3 if height >= TALL else 1, fresh),
        (),
        _today(usage.today, fresh),
        *_legend(usage, width),
        *(_limits(board, width, now_ms, zone, fresh) if board else ()),
        *(line for name, head in _HEADS.items() for line in ((), *_shares(name, head, usage, width, fresh))),
    ]


def figures(usage: LiveUsage) -> dict[object, str]:
    """What is said of each figure that is marked when it changes."""
    said: dict[object, str] = {"today": tokens(usage.today.tokens), "cost": _cost(usage.today)}
    for name, shares in usage.shares.items():
        for share in shares:
            said[name, share.label, "today"] = tokens(share.today.tokens)
            said[name, share.label, "cost"] = _cost(share.today)
    return said


def _pace_lines(usage: LiveUsage, width: int, height: int, fresh: Fresh) -> list[Cell]:
    """Tokens by minutes and by hours, each with its scale: what the highest bar stands for, and since when."""
    half = (width - _BETWEEN) // 2
    wide = width >= SIDE_BY_SIDE
    rooms = (max(60, half), width - _BETWEEN - max(60, half)) if wide else (width, width)
    minutes = _bars(
        _head("tok/min", (tokens(usage.burn), " (5 min)"), usage.minutes), usage.minutes, rooms[0], height, "60 min ago"
    )
    hours = _bars(
        _head("tok/h", (tokens(usage.hours[-1]), " this hour"), usage.hours), usage.hours, rooms[1], height, "24 h ago"
    )
    if not wide:
        return [*minutes, *hours]
    gap = span(" " * _BETWEEN)
    return [(*cut(left, rooms[0]), *gap, *right) for left, right in zip(minutes, hours, strict=True)]


def _head(name: str, now: tuple[str, str], values: Sequence[int]) -> Cell:
    said, words = now
    return (
        (f"{name:<8}", "head"),
        (f"{said:>6}", "text"),
        (f"{words:<12}", "dim"),
        (f"{tokens(max(values, default=0)):>6}", "text"),
        (" at most", "dim"),
    )


def _bars(head: Cell, values: Sequence[int], width: int, height: int, since: str) -> list[Cell]:
    drawn = bars(values, width, height)
    long = len(drawn[0]) if drawn else 0
    foot = f"{since}{'now':>{max(4, long - len(since))}}"
    return [head, *(span(line, "accent") for line in drawn), span(foot, "dim")]


def _today(today: Sums, fresh: Fresh) -> Cell:
    return (
        ("today   ", "head"),
        (f"{_marked(today, today.tokens):>7}", fresh.tone("today")),
        (" tok  ", "dim"),
        (f"{_cost(today):>7}", fresh.tone("cost")),
        ("  in ", "dim"),
        (tokens(today.input_tokens), "text"),
        ("  cache read ", "dim"),
        (tokens(today.cache_read_tokens), "text"),
        ("  write ", "dim"),
        (tokens(today.cache_write_tokens), "text"),
        ("  out ", "dim"),
        (tokens(today.output_tokens), "text"),
        (f"  {plural(today.responses, 'response')}", "dim"),
    )


def _limits(board: BudgetBoard, width: int, now_ms: int, zone: tzinfo | None, fresh: Fresh) -> list[Cell]:
    """Budgets with what they will hold, then the providers' own windows with when they turn; below heads."""
    rows = [_budget(row, now_ms, zone) for row in board.rows if row.window != "run"]
    rows += [_window(row, now_ms, zone) for row in board.windows]
    heads = [span(column.title, "dim" if number else "head") for number, column in enumerate(_LIMITS)]
    return [(), *(_placed(_LIMITS, cells, width) for cells in (heads, *rows))] if rows else []


def _budget(row: "BudgetRow", now_ms: int, zone: tzinfo | None) -> Sequence[Cell]:
    return (
        span(row.name),
        span(spent(row), LEVEL_TONES.get(row.level, "text")),
        meter(row.spent, row.held, row.most, row.level, METER),
        (("of ", "dim"), (amount(row.unit, row.most, row.spent), "text")),
        outlook(row, now_ms, zone),
        band(row),
        span(f"{row.window}, {row.scope}", "dim"),
    )


def _window(row: "SubscriptionRow", now_ms: int, zone: tzinfo | None) -> Sequence[Cell]:
    share = None if row.used_percent is None else row.used_percent / 100
    level = "ok" if share is None or share < 0.8 else "warn" if share < 1 else "full"
    return (
        span(window_title(row), "dim" if row.state == "reset" else "text"),
        span(tokens(row.used_tokens) if row.kind == "block" else percent(share), LEVEL_TONES.get(level, "text")),
        () if share is None else meter(round(share * 1000), 0, 1000, level, METER),
        span("no limit" if row.kind == "block" else "of 100%", "dim"),
        span(resets(row, now_ms, zone), "dim"),
        (),
        span(window_words(row, now_ms, zone) if stale(row, now_ms) else _whose(row), "dim"),
    )


def _whose(row: "SubscriptionRow") -> str:
    return "as its logs tell" if row.kind == "block" else f"{row.plan} plan" if row.plan else "the provider's own"


def _shares(name: str, head: str, usage: LiveUsage, width: int, fresh: Fresh) -> list[Cell]:
    """A head, and a row for each label; nothing to say is said. Figures stay near their label."""
    width = min(width, SHARES_WIDTH)
    titles = [span(head if not column.title else column.title, "head") for column in SHARES]
    shares = usage.shares.get(name, ())
    rows = [_placed(SHARES, _share(name, share, usage.today, fresh), width) for share in shares]
    return [_placed(SHARES, titles, width), *(rows or [span("nothing yet today", "dim")])]


def _share(name: str, share: Share, today: Sums, fresh: Fresh) -> Sequence[Cell]:
    spent = share.today
    prompt = spent.input_tokens + spent.cache_read_tokens + spent.cache_write_tokens
    part = spent.tokens / today.tokens if today.tokens else None
    return (
        span(_label(name, share.label), "dim" if share.label is None else "text"),
        span(tokens(share.burn), "text" if share.burn else "dim"),
        span(tokens(share.hour), "text" if share.hour else "dim"),
        span(_marked(spent, spent.tokens), fresh.tone((name, share.label, "today"))),
        span(percent(part), "dim"),
        span(_cost(spent), fresh.tone((name, share.label, "cost"))),
        span(percent(spent.cache_read_tokens / prompt if prompt else None), "dim"),
    )


def _label(name: str, label: str | None) -> str:
    if label is None:
        return _NOBODY.get(name, "unknown")
    if name == "model":
        return f"({label})" if label in ADAPTERS else label
    return called(label)


def _marked(sums: Sums, number: int) -> str:
    """`~` behind what a rule had to decide, or whose finished figure never came; its place is kept. Unknown is `-`."""
    return f"{tokens(number if sums.responses else None)}{'~' if sums.partial or sums.inferred else ' '}"


def _cost(sums: Sums) -> str:
    return "-" if not sums.responses else cost(sums.cost_microusd, sums.unpriced, sums.responses)


def _legend(usage: LiveUsage, width: int) -> list[Cell]:
    """What the marks in figures and labels mean, with how many responses they are about; only those that are there."""
    today, marks = usage.today, []
    weak = ((today.partial, "unfinished"), (today.inferred, "estimated"))
    if told := ", ".join(f"{plural(number, 'response')} {what}" for number, what in weak if number):
        marks.append(("~", told))
    if today.unpriced:
        marks.append(("+", f"{plural(today.unpriced, 'response')} without a price"))
    if any(share.label in ADAPTERS for share in usage.shares.get("model", ())):
        marks.append(("( )", "a program, no model"))
    spans: list[tuple[str, Tone]] = []
    for mark, said in marks:
        spans += [("   " if spans else "", "dim"), (f"{mark} ", "text"), (said, "dim")]
    return wrap(tuple(spans), width, 2) if spans else []


def _placed(columns: Sequence[Column], cells: Sequence[Cell], width: int) -> Cell:
    """The cells that fit, in their columns, as one line."""
    found = place(columns, width)
    line: list[tuple[str, Tone]] = []
    for number, placed in enumerate(found):
        line += [(" ", "text")] if number else []
        line += cut(cells[placed.index], placed.width, columns[placed.index].align)
    return tuple(line)
