"""What does a pattern of paths mean, and which path do two of them share? Decided on the patterns, without a disk.

A path is a row of segments; `**` is a segment of its own and stands for any number of folders, none among them.
`{a,b}` are alternatives, as in a shell. What could be read in two ways is refused, and so is what is absurdly long.
"""

import re
from functools import lru_cache
from itertools import pairwise

from msgspec import Struct

from engine.scopes.folding import EXACT, Folding, fold
from engine.scopes.product import Atoms, trace, walk
from engine.scopes.segments import Segment, closing, segment, share, shared_name
from engine.scopes.segments import matches as name_matches

ALTERNATIVES_MAX = 256
PATTERN_MAX = 4096
"""Characters of a pattern: no path is longer."""
SEGMENT_MAX = 255
"""Characters of a segment: no name is longer."""
SEGMENTS_MAX = 128
"""Segments of a pattern that has wildcards."""
GLOBSTAR = "**"
_WILD = re.compile(r"[*?\[]")


class Pattern(Struct, frozen=True):
    """One way to read a pattern."""

    absolute: bool
    fixed: tuple[str, ...]
    """The names before the first wildcard, `..` among them."""
    tail: tuple[str, ...]
    """The rest; its first segment has a wildcard."""


@lru_cache(maxsize=4096)
def read_pattern(text: str) -> tuple[Pattern, ...]:
    """One for each alternative, in order. Raises ValueError, saying why the pattern is refused."""
    if "\0" in text or not text.strip():
        raise ValueError("is no path")
    if len(text) > PATTERN_MAX:
        raise ValueError(f"is longer than {PATTERN_MAX:,} characters")
    if not text.isascii() and any(0xD800 <= ord(char) < 0xE000 for char in text):
        raise ValueError("is not text")
    return tuple(dict.fromkeys(_read(way) for way in alternatives(text)))


def _read(text: str) -> Pattern:
    if not text.strip():
        raise ValueError("has an alternative that is no path")
    if text[0] in "~!":
        raise ValueError(f"begins with {text[0]}, which is not understood here")
    segments = [part for part in text.split("/") if part not in ("", ".")]
    first = next((place for place, part in enumerate(segments) if _WILD.search(part)), len(segments))
    tail = _merged(segments[first:])
    for part in segments:
        _check(part)
    if ".." in tail:
        raise ValueError("has .. after a wildcard")
    if len(tail) > SEGMENTS_MAX:
        raise ValueError(f"has more than {SEGMENTS_MAX} segments after its first wildcard")
    return Pattern(text.startswith("/"), tuple(segments[:first]), tuple(tail))


def _check(part: str) -> None:
    """Raise ValueError for a segment that is too long, or that can be read in two ways."""
    if GLOBSTAR in part and part != GLOBSTAR:
        raise ValueError("uses ** inside a name; ** stands for whole folders only, as in **/*.py")
    if len(part) > SEGMENT_MAX:
        raise ValueError(f"has a segment of more than {SEGMENT_MAX} characters: no name is that long")
    if "\\" in part:
        raise ValueError("has a backslash, which is not understood here; write [*] for the character *")
    for place in range(len(part)):
        close = closing(part, place)
        if close is not None and (part[place + 1] == "^" or part[place + 1 : place + 3] in ("[:", "[.", "[=")):
            raise ValueError("has a class that is not understood here; write [!a-c] for any but a, b, c")


def _merged(segments: list[str]) -> list[str]:
    return [part for place, part in enumerate(segments) if part != GLOBSTAR or segments[place - 1 : place] != [part]]


def alternatives(text: str) -> list[str]:
    """Every text that braces stand for, as a shell makes them. Raises ValueError for more than 256."""
    done: list[str] = []
    todo = [(text, 0)]
    while todo:
        text, start = todo.pop()
        opened = text.find("{", start)
        if opened < 0:
            if text.count("}") != text.count("{"):
                raise ValueError("has a brace that is never opened")
            done.append(text)
        else:
            cuts = _cuts(text, opened)
            if len(cuts) == 2:
                todo.append((text, opened + 1))  # no alternatives: the braces stand for themselves
            else:
                head, rest = text[:opened], text[cuts[-1] + 1 :]
                ways = [text[low + 1 : high] for low, high in pairwise(cuts)]
                todo += [(head + way + rest, opened) for way in reversed(ways)]
        if len(done) + len(todo) > ALTERNATIVES_MAX:
            raise ValueError(f"has more than {ALTERNATIVES_MAX} alternatives")
    return done


def _cuts(text: str, opened: int) -> list[int]:
    """Where this brace opens, has its own commas, and closes."""
    depth, cuts = 0, [opened]
    for place in range(opened, len(text)):
        if text[place] == "{":
            depth += 1
        elif text[place] == "}":
            depth -= 1
        elif text[place] == "," and depth == 1:
            cuts.append(place)
        if depth == 0:
            break
    else:
        raise ValueError("has a brace that is never closed")
    if len(cuts) == 1 and ".." in text[opened:place]:
        raise ValueError("has a {..} range, which is not understood here; name the alternatives")
    return [*cuts, place]


def quoted(name: str) -> str:
    """The segment that matches just this name."""
    return _WILD.sub(r"[\g<0>]", name)


class Path(Struct, frozen=True, eq=False):
    """A row of segments made ready for matching. Compared as the thing it is, which is quick."""

    segments: tuple[Segment | None, ...]
    """None where any folders may stand."""
    atoms: Atoms
    literal: tuple[str, ...] | None
    """The folded names, where it stands for just one path, or one path and everything below."""
    is_dead: bool


@lru_cache(maxsize=16384)
def path(segments: tuple[str, ...], rule: Folding = EXACT) -> Path:
    """Made from segments as `read_pattern` leaves them."""
    made = tuple(None if part == GLOBSTAR else segment(part, rule) for part in segments)
    stars = sum(1 << place for place, part in enumerate(made) if part is None)
    names = [part.literal for part in made[:-1] if part is not None]
    last = made[-1] if made else None
    if last is not None:
        names.append(last.literal)
    whole = len(names) == len(made) - (bool(made) and last is None)
    literal = tuple(name for name in names if name is not None)
    return Path(
        segments=made,
        atoms=Atoms(len(made), stars, stars),
        literal=literal if whole and len(literal) == len(names) else None,
        is_dead=any(part.is_dead for part in made if part is not None),
    )


def shared_path(one: Path, other: Path) -> tuple[str, ...] | None:
    """The names of a path that both match, folded; None when there is none."""
    if one.is_dead or other.is_dead:
        return None

    def meets(place: int, row: int) -> int:
        mine = one.segments[place]
        if mine is None:
            return row
        found = 0
        while row:
            lowest = row & -row
            beside = lowest.bit_length() - 1
            if beside < len(other.segments):
                theirs = other.segments[beside]
                if theirs is None or share(mine, theirs):
                    found |= lowest
            row ^= lowest
        return found

    rows = walk(one.atoms, other.atoms, meets)
    if rows is None:
        return None
    names = [_name(one.segments[i], other.segments[j]) for i, j in trace(rows, one.atoms, other.atoms, meets)]
    return tuple(names) or _somewhere_below(one, other)


def _name(one: Segment | None, other: Segment | None) -> str:
    """A name that both match; they are known to share one."""
    if one is None or other is None:
        alone = one or other
        return "x" if alone is None else shared_name(alone, segment("*", alone.rule)) or ""
    return shared_name(one, other) or ""


def _somewhere_below(one: Path, other: Path) -> tuple[str, ...]:
    """Both match the folder they start from: a file in it shows a person more, where they share one."""
    return ("x",) if None in one.segments and None in other.segments else ()


def steps(pattern: Path, row: int, name: str, rule: Folding) -> int:
    """The places in a pattern that are reached from these by taking one more name."""
    folded = fold(name, rule) if rule != EXACT else name
    onward = 0
    for place, part in enumerate(pattern.segments):
        if row >> place & 1:
            if part is None:
                onward |= 1 << place
            elif name_matches(part, folded):
                onward |= 2 << place
    return begun(pattern, onward)


def begun(pattern: Path, row: int = 1) -> int:
    """These places, and those beyond `**` that stands for no folder."""
    for place, part in enumerate(pattern.segments):
        if part is None and row >> place & 1:
            row |= 2 << place
    return row
