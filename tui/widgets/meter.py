"""How full is it? Characters that read without colour: `#` spent, `_` held, `.` free."""

from tui.theme import Tone
from tui.widgets.cells import Cell

WIDTH = 16


def meter(spent: int, held: int, limit: int, level: str = "ok", width: int = WIDTH) -> Cell:
    """A bar of `width` cells. What is begun shows at least one cell; only a full one shows no free cell."""
    if limit <= 0:
        return (("#" * width, _tone("full")),)
    hashes = _cells(spent, limit, width)
    lines = min(width - hashes, _cells(held, limit, width))
    if spent + held < limit and hashes + lines >= width:
        lines, hashes = (lines - 1, hashes) if lines else (0, width - 1)
    free = width - hashes - lines
    return (("#" * hashes, _tone(level)), ("_" * lines, "accent"), ("." * free, "dim"))


def _cells(part: int, whole: int, width: int) -> int:
    return 0 if part <= 0 else max(1, min(width, part * width // whole))


def _tone(level: str) -> Tone:
    tones: dict[str, Tone] = {"warn": "warn", "full": "bad"}
    return tones.get(level, "text")
