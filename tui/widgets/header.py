"""The first line: where are we, does the engine run, and how fast do tokens go?"""

from typing import Any

from tui.text import tokens, uptime
from tui.theme import Tone
from tui.views import EngineStatus, Spend
from tui.widgets.cells import Cell, line_width
from tui.widgets.lines import Lines


def header_line(host: str, engine: EngineStatus, spend: Spend | None, day: Any, now_ms: int, width: int) -> Cell:
    """The pieces that fit, the most important ones first. `day` is the widest budget of a day, or None."""
    left: list[Cell] = [(("quarterdeck", "bold"),), (("host ", "dim"), (host, "text")), _engine(engine, now_ms)]
    right: list[Cell] = []
    if spend is not None:
        tone: Tone = "accent" if spend.running else "dim"
        left.append(((f"{spend.running} running", tone),))
        right.append((("today ", "dim"), (tokens(spend.today), "text"), (" tok", "dim")))
    if day is not None:
        right.append(_day(day))
    if spend is not None:
        right.append((("burn ", "dim"), (tokens(spend.burn), "text"), ("/min", "dim")))
    return _spread(left, right, width)


class Header(Lines):
    """That line; drawn again only when it says something else."""


def _engine(engine: EngineStatus, now_ms: int) -> Cell:
    if engine.state == "up":
        return (("engine ", "dim"), (f"up {uptime(engine.started_ms, now_ms)}", "text"))
    return (("engine ", "dim"), (engine.state, "warn" if engine.state == "starting" else "bad"))


def _day(day: Any) -> Cell:
    tones: dict[str, Tone] = {"warn": "warn", "full": "bad"}
    return (
        (f"budget {day.name} ", "dim"),
        (tokens(day.taken), tones.get(day.level, "text")),
        (f" of {tokens(day.limit_tokens)}", "dim"),
    )


def _spread(left: list[Cell], right: list[Cell], width: int) -> Cell:
    """Both ends of the line; from the right, pieces that do not fit are left out."""
    gap: Cell = (("   ", "dim"),)
    while right and _width(left) + 3 + _width(right) > width:
        right.pop(1 if len(right) > 1 else 0)
    while len(left) > 1 and _width(left) > width:
        left.pop(1 if len(left) > 2 else -1)
    blank = max(0, width - _width(left) - _width(right))
    return (*_joined(left, gap), (" " * blank, "dim"), *_joined(right, gap))


def _joined(cells: list[Cell], gap: Cell) -> Cell:
    return tuple(part for number, cell in enumerate(cells) for part in ((*gap, *cell) if number else cell))


def _width(cells: list[Cell]) -> int:
    return sum(line_width(cell) for cell in cells) + 3 * max(0, len(cells) - 1)
