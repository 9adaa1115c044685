"""The first line: where are we, does the engine run, what has today cost, and how fast do tokens go?"""

from typing import Any

from tui.text import cost, tokens, uptime
from tui.theme import Tone
from tui.views import EngineStatus, Spend
from tui.widgets.cells import Cell, line_width
from tui.widgets.lines import Lines

_TONES: dict[str, Tone] = {"warn": "warn", "full": "bad"}
_WIDE, _NARROW = 3, 2
"""Blanks between two pieces."""


def header_line(
    host: str, engine: EngineStatus, spend: Spend | None, day: Any, now_ms: int, width: int, needs: int = 0
) -> Cell:
    """The pieces that fit, never more than one line. `day` is the widest budget of a day in tokens, or None; so many
    things wait for the operator as `needs` says."""
    left: dict[str, Cell] = {
        "name": (("quarterdeck", "bold"),),
        "host": (("host ", "dim"), (host, "text")),
        "engine": _engine(engine, now_ms),
    }
    right: dict[str, Cell] = {}
    shorter: list[tuple[str, Cell]] = [("budget", ()), ("host", ()), ("name", (("qd", "bold"),)), ("name", ())]
    everything = day is not None and day.scope == "all"
    if spend is not None:
        left["running"] = ((f"{spend.running} running", "accent" if spend.running else "dim"),)
        right["today"] = _today(spend, day if everything else None)
        right["cost"] = _cost(spend)
        right["burn"] = (("burn ", "dim"), (tokens(spend.burn), "text"), ("/min", "dim"))
        shorter += [("cost", ()), ("today", _today(spend, None)), ("running", ()), ("burn", ()), ("today", ())]
    if needs:
        left["needs"] = ((f"{needs} need me" if needs > 1 else "1 needs me", "warn"),)
    if day is not None and not everything:
        right["budget"] = _budget(day)
    return _fitted(left, right, [*shorter, ("needs", ())], width)


class Header(Lines):
    """That line; drawn again only when it says something else."""


def _engine(engine: EngineStatus, now_ms: int) -> Cell:
    if engine.state == "up":
        return (("engine ", "dim"), (f"up {uptime(engine.started_ms, now_ms)}", "text"))
    return (("engine ", "dim"), (engine.state, "warn" if engine.state == "starting" else "bad"))


def _today(spend: Spend, day: Any) -> Cell:
    if day is None:
        return (("today ", "dim"), (tokens(spend.today), "text"), (" tok", "dim"))
    said = tokens(spend.today)
    return (("today ", "dim"), (said, _TONES.get(day.level, "text")), (f" of {tokens(day.most)} tok", "dim"))


def _cost(spend: Spend) -> Cell:
    said = cost(spend.cost_microusd, spend.unpriced, spend.responses)
    return (("cost ", "dim"), ("-", "text")) if said == "-" else ((said, "text"),)


def _budget(day: Any) -> Cell:
    return (
        (f"{day.name} ", "dim"),
        (tokens(day.taken), _TONES.get(day.level, "text")),
        (f" of {tokens(day.most)}", "dim"),
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
