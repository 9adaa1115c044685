"""Does a path lie within these patterns? Small and strict: what is not understood here covers nothing.

A name covers itself and everything below it; a glob what it matches, and everything below a folder that it matches.
`*`, `?` and `[...]` stand for parts of a name, `**` for any number of folders, `{a,b}` for either.
"""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import lru_cache

MOST_WAYS = 256
MOST_SEGMENTS = 128
_WILD = re.compile(r"[*?\[]")
_BRACES = re.compile(r"\{([^{}]*)\}")
_CLASS = re.compile(r"\[!?\]?[^\]^\[\\]*\]")


def covered(patterns: Sequence[str], workspace: str, names: Sequence[str], folders: int) -> bool:
    """Whether the path of these names, within the workspace, lies in one of the patterns. Of its names so many, from
    the first on, are folders that exist."""
    return any(_covers(way, tuple(names), folders) for pattern in patterns for way in ways(pattern, workspace))


def starts(patterns: Sequence[str], workspace: str) -> list[tuple[str, ...]]:
    """Where to look for what these cover: the names before their wildcards, none that lies in another."""
    found = {_fixed(way) for pattern in patterns for way in ways(pattern, workspace)}
    return sorted(one for one in found if not any(one[:end] in found for end in range(len(one))))


def _fixed(segments: tuple[str, ...]) -> tuple[str, ...]:
    return segments[: next((place for place, one in enumerate(segments) if _WILD.search(one)), len(segments))]


@lru_cache(maxsize=1024)
def ways(pattern: str, workspace: str) -> tuple[tuple[str, ...], ...]:
    """Every way to read a pattern, as segments within the workspace; none for what is not understood."""
    texts = [pattern]
    while any("{" in text for text in texts) and len(texts) <= MOST_WAYS:
        texts = [one for text in texts for one in _either(text)]
    read = (_segments(text, workspace) for text in texts if len(texts) <= MOST_WAYS)
    return tuple(segments for segments in read if segments is not None)


def _either(text: str) -> list[str]:
    """With the first pair of braces replaced by each of its alternatives."""
    found = _BRACES.search(text)
    if found is None:
        return [] if "{" in text or "}" in text else [text]
    choices = found[1].split(",")
    return [] if len(choices) < 2 else [text[: found.start()] + one + text[found.end() :] for one in choices]


def _segments(text: str, workspace: str) -> tuple[str, ...] | None:
    if text.startswith("/"):
        if text != workspace and not text.startswith(workspace.rstrip("/") + "/"):
            return None
        text = text[len(workspace) :]
    elif not text.strip() or text[0] in "~!":
        return None
    segments = tuple(part for part in text.split("/") if part not in ("", "."))
    return segments if len(segments) <= MOST_SEGMENTS and all(map(_understood, segments)) else None


def _understood(segment: str) -> bool:
    if "\\" in segment or "}" in segment or "\0" in segment:
        return False
    if "**" in segment:
        return segment == "**"
    return "[" not in _CLASS.sub("", segment)


def _covers(segments: tuple[str, ...], names: tuple[str, ...], folders: int) -> bool:
    if not any(_WILD.search(segment) for segment in segments):
        return names[: len(segments)] == segments
    return any(matches(segments, names[:end]) for end in (*range(min(folders, len(names)) + 1), len(names)))


def matches(segments: Sequence[str], names: Sequence[str]) -> bool:
    """Whether the pattern matches this whole path: all places in the pattern at once, so that it takes no longer than
    both are long."""
    places = _opened({0}, segments)
    for name in names:
        onward = {place for place in places if place < len(segments) and segments[place] == "**"}
        onward |= {place + 1 for place in places if place < len(segments) and _fits(segments[place], name)}
        places = _opened(onward, segments)
    return len(segments) in places


def _fits(segment: str, name: str) -> bool:
    return segment != "**" and fnmatchcase(name, segment)


def _opened(places: set[int], segments: Sequence[str]) -> set[int]:
    """With those behind a `**`, which may stand for nothing."""
    found, todo = set(places), list(places)
    while todo:
        place = todo.pop()
        if place < len(segments) and segments[place] == "**" and place + 1 not in found:
            found.add(place + 1)
            todo.append(place + 1)
    return found
