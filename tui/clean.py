"""How does text that we did not write get onto the screen without harm? Cleaned once where it enters the console.

Textual passes escape sequences through even with markup off, and bracketed text crashes several widgets. Hence every
record is cleaned as the feed hands it out, text only ever reaches a widget as `Content` or as segments without markup,
and one line filter guards the way out, whatever went wrong before.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.content import Content
from textual.filter import LineFilter

LINE_CAP = 400
"""Characters of one cleaned line; a terminal is narrower than that."""
BLOCK_CAP = 64 * 1024
"""Characters of a cleaned text of several lines."""
WHOLE_CAP = 600 * 1024
"""Characters of a text that is shown whole; a skill may have 512 KiB."""
MARKS_CAP = 3
"""Combining marks kept on one character: more climb over the lines around it."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
ENDS_LINE = "\n"
"""A segment by itself, of Textual's own; within a text it would move what comes after it."""

_BREAKS = {"\t": " ", "\n": " ", "\r": " ", "\v": " ", "\f": " ", "\x85": " ", "\u2028": " ", "\u2029": " "}
_INVISIBLE = {
    "\u00ad",
    "\u034f",
    "\u061c",
    "\u115f",
    "\u1160",
    "\u17b4",
    "\u17b5",
    "\u180e",
    "\u3164",
    "\ufeff",
    "\uffa0",
}

Record = TypeVar("Record", bound=Struct)


def clean(text: str, cap: int = LINE_CAP) -> str:
    """One line that is safe to draw: what a terminal would obey is shown as a replacement character."""
    if len(text) <= cap and text.isascii() and text.isprintable():
        return text
    cut = text[: cap + 1]
    safe = "".join(_safe_characters(cut))
    return safe if len(text) <= cap else safe[: cap - 1] + "…"


def clean_block(text: str, cap: int = BLOCK_CAP) -> list[str]:
    """Several such lines. Of a longer text the end is kept: it is what happened last."""
    tail = text[-cap:].replace("\r\n", "\n").replace("\r", "\n").expandtabs(4)
    return [clean(line) for line in tail.split("\n")]


def clean_whole(text: str, cap: int = WHOLE_CAP) -> list[str]:
    """The lines of a text that is to be judged: none is shortened, and what an eye would miss is spelled out.

    Of a longer text the beginning is kept, and the last line says how much is not shown.
    """
    from engine.context.held import visible

    lines = [_uncut(visible(line.expandtabs(4))) for line in text[:cap].replace("\r\n", "\n").split("\n")]
    left = len(text) - cap
    return [*lines, f"({left:,} more characters are not shown)"] if left > 0 else lines


def _uncut(line: str) -> str:
    return clean(line, max(1, len(line)))


def clean_record(record: Record) -> Record:
    """The same record with every text in it cleaned; the record itself when all were clean."""
    changes: dict[str, Any] = {}
    for name in record.__struct_fields__:
        value = getattr(record, name)
        cleaned = _clean_value(value)
        if cleaned is not value:
            changes[name] = cleaned
    return msgspec.structs.replace(record, **changes) if changes else record


def as_declared(shown: str, names: Iterable[str]) -> str:
    """Which name is shown like this, where it is one alone; else what is shown: things are asked for by that."""
    meant = [name for name in names if name == shown or clean(name) == shown]
    return meant[0] if len(meant) == 1 else shown


def as_content(text: str, style: str = "") -> Content:
    """Cleaned text as `Content`: its brackets are just brackets."""
    return Content.styled(clean(text), style) if style else Content(clean(text))


class Guard(LineFilter):
    """The way out: nothing that a terminal would obey leaves in a segment, whichever widget drew it."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        if all(segment.control or _harmless(segment.text) for segment in segments):
            return segments
        return [
            segment if segment.control or _harmless(segment.text) else Segment(_masked(segment.text), segment.style)
            for segment in segments
        ]


class Colourless(LineFilter):
    """The way out under NO_COLOR: bold, dim, underlined and inverted stay, not one colour does."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [part for segment in segments for part in _in_words(segment)]


def _in_words(segment: Segment) -> Iterator[Segment]:
    """Without its colours, and with a line under its words alone, not under the room around them."""
    text, style, control = segment
    if style is None or control:
        yield segment
        return
    style = _uncoloured(style)
    words = text.strip(" ")
    if not style.underline or words == text:
        yield Segment(text, style)
        return
    before = text.index(words) if words else len(text)
    for part, under in ((text[:before], False), (words, True), (text[before + len(words) :], False)):
        if part:
            yield Segment(part, style if under else _plain(style))


@lru_cache(1024)
def _uncoloured(style: Style) -> Style:
    return style.without_color


@lru_cache(1024)
def _plain(style: Style) -> Style:
    return style + Style(underline=False)


def _clean_value(value: Any) -> Any:
    if isinstance(value, str):
        cleaned = clean(value)
        return value if cleaned == value else cleaned
    if isinstance(value, Struct):
        return clean_record(value)
    if isinstance(value, tuple):
        items = tuple(_clean_value(item) for item in value)
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    return value


def _safe_characters(text: str) -> list[str]:
    out: list[str] = []
    marks = 0
    for character in text:
        if character in _BREAKS:
            out.append(" ")
            marks = 0
            continue
        category = unicodedata.category(character)
        if category in ("Mn", "Me", "Mc"):
            marks += 1
            if marks <= MARKS_CAP and out:
                out.append(character)
            continue
        marks = 0
        out.append(REPLACEMENT if _unsafe(character, category) else character)
    return out


def _unsafe(character: str, category: str) -> bool:
    """Control, format (bidi, joiners, tags), surrogate, private and unassigned characters, and invisible fillers."""
    return category in ("Cc", "Cf", "Cs", "Co", "Cn") or character in _INVISIBLE


def _harmless(text: str) -> bool:
    return text.isprintable() or text == ENDS_LINE or not any(_obeyed(character) for character in text)


def _masked(text: str) -> str:
    return "".join(REPLACEMENT if _obeyed(character) else character for character in text)


def _obeyed(character: str) -> bool:
    """What a terminal acts on, what cannot be encoded, or what has no meaning."""
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn")
