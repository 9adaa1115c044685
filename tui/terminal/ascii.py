"""How does the console look where only ASCII is to be seen? Lines and bars have a likeness each; all else is a `?`.

Every character becomes as many as it has cells, so that nothing shifts.
"""

# ruff: noqa: RUF001 - what is easily mistaken for ASCII is what this is about

from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_LIKE = {
    "─━╌╍┄┅┈┉╴╶╸╺═‐‑‒–—―−▔": "-",
    "│┃╎╏┆┇┊┋╵╷╹╻║▏▎▍▌▐▕▊▉▋": "|",
    "┌┐└┘├┤┬┴┼┏┓┗┛┣┫┳┻╋╭╮╯╰╒╓╔╕╖╗╘╙╚╛╜╝╞╟╠╡╢╣╤╥╦╧╨╩╪╫╬": "+",
    "▁": "_",
    "▂": "-",
    "▃": "~",
    "▄": "=",
    "▅": "+",
    "▆": "*",
    "▇": "%",
    "█▀■▙▛▜▟▓▒░": "#",
    "·•∙◦…": ".",
    "←‹«": "<",
    "→›»▶▸": ">",
    "↑▲": "^",
    "↓▼": "v",
    "×✕✗": "x",
    "✓": "v",
    "‘’′": "'",
    "“”″": '"',
    "\u00a0\u2002\u2003\u2009\u202f": " ",
}
LIKENESS = {character: like for characters, like in _LIKE.items() for character in characters} | {"…": "~"}
"""`~` for what is cut off, which a dot would not show."""


class AsciiOnly(LineFilter):
    """Nothing else leaves in a segment."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        if all(segment.text.isascii() for segment in segments):
            return segments
        return [
            segment
            if segment.control or segment.text.isascii()
            else Segment(as_ascii(segment.text), segment.style, segment.control)
            for segment in segments
        ]


def as_ascii(text: str) -> str:
    """The text in as many ASCII characters as it has cells."""
    return text if text.isascii() else "".join(map(_likeness, text))


@lru_cache(4096)
def _likeness(character: str) -> str:
    if character.isascii():
        return character
    return LIKENESS.get(character) or "?" * cell_len(character)
