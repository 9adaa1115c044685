"""The first line: where are we, does the engine run, what has today cost, and how fast do tokens go?"""

from collections.abc import Iterable
from datetime import tzinfo
from typing import Any

from msgspec import Struct

from tui.lists.fresh import Fresh
from tui.reading.views import EngineStatus, Spend
from tui.text import cost, moment, money, tokens, uptime
from tui.theme import Tone
from tui.widgets.cells import Cell, line_width
from tui.widgets.lines import Lines

_TONES: dict[str, Tone] = {"warn": "warn", "full": "bad", "over": "bad"}
_WIDE, _NARROW = 3, 2
"""Blanks between two pieces."""
_NOTHING_NEW = Fresh()


class DayLimits(Struct, frozen=True):
    """The widest budgets of a day."""

    tokens: Any = None
    """In tokens, whatever it counts; a `BudgetRow`."""
    money: Any = None
    """In dollars, of those that count everything."""


def day_limits(rows: Iterable[Any]) -> DayLimits:
    """Of all budgets those that the header tells of."""
    days = [row for row in rows if row.window == "day"]
    money = [row for row in days if row.unit == "microusd" and row.scope == "all"]
    tokens = [row for row in days if row.unit == "tokens"]
    widest = (max(some, key=lambda row: row.most, default=None) for some in (tokens, money))
    return DayLimits(*widest)


def header_line(
    host: str,
    engine: EngineStatus,
    spend: Spend | None,
    limits: DayLimits,
    now_ms: int,
    width: int,
    needs: int = 0,
    mark: str = "",
    fresh: Fresh = _NOTHING_NEW,
    zone: tzinfo | None = None,
) -> Cell:
    """The pieces that fit, never more than one line, what is spent with its limit as long as there is room; so many
    things wait for the operator as `needs` says. `mark` is a word about this console that is always there; figures that
    are `fresh` stand out."""
    left: dict[str, Cell] = {
        "name": (("quarterdeck", "bold"),),
        **({"mark": ((mark, "warn"),)} if mark else {}),
        "host": (("host ", "dim"), (host, "text")),
        "engine": _engine(engine, now_ms),
    }
    right: dict[str, Cell] = {}
    day = limits.tokens
    everything = day is not None and day.scope == "all"
    shorter: list[tuple[str, Cell]] = [("burn", _burn(spend))] if spend is not None else []
    shorter += [("budget", ()), ("host", ()), ("outlook", ()), ("name", (("qd", "bold"),)), ("name", ())]
    if spend is not None:
        left["running"] = ((f"{spend.running} running", "accent" if spend.running else "dim"),)
        right["today"] = _today(spend, day if everything else None, fresh)
        right["outlook"] = _outlook(day, now_ms, zone) if everything else ()
        right["cost"] = _cost(spend, limits.money, fresh)
        right["burn"] = (*_burn(spend), (" (5 min)", "dim"))
        shorter += [("burn", ()), ("engine", _engine(engine, now_ms, short=True)), ("cost", _cost(spend, None, fresh))]
        shorter += [("running", ()), ("cost", ()), ("today", _today(spend, None, fresh)), ("today", ())]
    if needs:
        left["needs"] = ((f"{needs} need me" if needs > 1 else "1 needs me", "warn"),)
    if day is not None and not everything:
        right["budget"] = _budget(day)
    return _fitted(left, {name: piece for name, piece in right.items() if piece}, [*shorter, ("needs", ())], width)


def header_figures(spend: Spend) -> dict[object, str]:
    """What is said of each figure that is marked when it changes."""
    said = cost(spend.cost_microusd, spend.unpriced, spend.responses) if spend.responses else "-"
    return {"today": _tokens(spend), "cost": said}


class Header(Lines):
    """That line; drawn again only when it says something else."""


def _engine(engine: EngineStatus, now_ms: int, short: bool = False) -> Cell:
    if engine.state == "up":
        return ((f"{'' if short else 'engine '}up {uptime(engine.started_ms, now_ms)}", "text"),)
    return (("engine ", "dim"), (engine.state, "warn" if engine.state == "starting" else "bad"))


def _today(spend: Spend, day: Any, fresh: Fresh) -> Cell:
    """Nothing told anything yet: then what was used is unknown."""
    tone = fresh.tone("today", "text" if day is None else _TONES.get(day.level, "text"))
    of = "" if day is None else f" of {tokens(day.most)}"
    return (("today ", "dim"), (_tokens(spend), tone), (f"{of} tok", "dim"), *_word(day))


def _tokens(spend: Spend) -> str:
    return tokens(spend.today) if spend.responses else "-"


def _word(row: Any) -> Cell:
    """` over`, ` full`: not by colour alone."""
    return ((f" {row.word}", "bad"),) if row is not None and row.level == "full" else ()


def _burn(spend: Spend) -> Cell:
    return (("burn ", "dim"), (tokens(spend.burn), "text"), ("/min", "dim"))


def _outlook(day: Any, now_ms: int, zone: tzinfo | None) -> Cell:
    """`> 18:40`: it is used up then. `~52.0k`: likely so much by midnight. Nothing where nobody can know."""
    found = day.projection
    if found is None or day.level == "full":
        return ()
    if found.runs_out_ms is not None:
        return ((f"> {moment(found.runs_out_ms, now_ms, zone)}", "warn"),)
    return ((f"~{tokens(found.likely)}", "dim"),) if found.likely > day.spent else ()


def _cost(spend: Spend, limit: Any, fresh: Fresh) -> Cell:
    said = header_figures(spend)["cost"]
    tone = fresh.tone("cost", "text" if limit is None else _TONES.get(limit.level, "text"))
    figure: Cell = (("cost ", "dim"), ("-", tone)) if said == "-" else ((said, tone),)
    of: Cell = () if limit is None else ((f" of {_whole(limit.most)}", "dim"),)
    return (*figure, *of, *_word(limit))


def _whole(microusd: int) -> str:
    """`$25`, `$0.50`: a limit, which is often round."""
    said = money(microusd)
    return said.removesuffix(".00").removesuffix(".0") if microusd % 1_000_000 == 0 else said


def _budget(day: Any) -> Cell:
    return (
        (f"{day.name} ", "dim"),
        (tokens(day.spent), _TONES.get(day.level, "text")),
        (f" of {tokens(day.most)}", "dim"),
        *_word(day),
    )


def _fitted(left: dict[str, Cell], right: dict[str, Cell], shorter: list[tuple[str, Cell]], width: int) -> Cell:
    """Both ends of the line. Where it is narrow the blanks shrink, then pieces do or go, the least important first."""
    gap = _WIDE
    for name, piece in shorter:
        if _width(left, gap) + _width(right, gap) + gap <= width:
            break
        if gap == _WIDE:
            gap = _NARROW
            if _width(left, gap) + _width(right, gap) + gap <= width:
                break
        side = left if name in left else right
        if name in side:
            side[name] = piece
            if not piece:
                del side[name]
    blank = max(0, width - _width(left, gap) - _width(right, gap))
    return (*_joined(left, gap), (" " * blank, "dim"), *_joined(right, gap))


def _joined(pieces: dict[str, Cell], gap: int) -> Cell:
    between: Cell = ((" " * gap, "dim"),)
    return tuple(
        part for number, piece in enumerate(pieces.values()) for part in ((*between, *piece) if number else piece)
    )


def _width(pieces: dict[str, Cell], gap: int) -> int:
    return sum(line_width(piece) for piece in pieces.values()) + gap * max(0, len(pieces) - 1)
