"""Which names does one segment of a pattern match, and which name do two of them share?

`*` stands for any characters, a leading dot among them, `?` for one, `[a-c]` for one of these and `[!a-c]` for one of
the others. Under a folding rule a segment stands for the folded forms of its names.
"""

from bisect import bisect_left
from functools import lru_cache

from msgspec import Struct

from engine.scopes.folding import EXACT, Folding, fold, foldable
from engine.scopes.product import Atoms, skipped, trace, walk

Ranges = tuple[tuple[int, int], ...]
"""A set of characters: first and last code points, ascending, apart from each other."""

ANY: Ranges = ((1, 0x2E), (0x30, 0xD7FF), (0xDC80, 0xDCFF), (0xE000, 0x10FFFF))
"""What a name can be made of: no NUL, no slash, and bytes that are no text as Python reads them."""
_NICE = (*map(ord, "xabcdefghijklmnopqrstuvwyz0123456789"), *range(0x41, 0x5B), *range(0x21, 0x7F))
"""Characters to show a person, best first."""


class Segment(Struct, frozen=True, eq=False):
    """A segment made ready for matching. Compared as the thing it is, which is quick."""

    text: str
    rule: Folding
    literal: str | None
    """Folded; None where it has a wildcard."""
    sets: tuple[Ranges, ...]
    atoms: Atoms
    ends: tuple[str, str] | None
    """What its names begin and end with, where it is just that around one `*`."""

    @property
    def is_dead(self) -> bool:
        """Whether it can match no name at all, as `[b-a]`."""
        needed = (ranges for place, ranges in enumerate(self.sets) if not self.atoms.skips >> place & 1)
        return not all(needed) or self.literal in (".", "..")


@lru_cache(maxsize=16384)
def segment(text: str, rule: Folding = EXACT) -> Segment:
    """Made from its text, which `patterns` has found to be understood."""
    pieces: list[tuple[Ranges, bool, bool]] = []
    run = ""
    for kind, ranges in parts(text):
        if kind == "char":
            run += chr(ranges[0][0])
            continue
        pieces += _literal(run, rule)
        run = ""
        pieces += [(ANY, True, True)] if kind == "star" else _wide(ranges, rule)
    literal = fold(run, rule) if not pieces else None
    pieces += _literal(run, rule)
    skips = sum(1 << place for place, piece in enumerate(pieces) if piece[1])
    loops = sum(1 << place for place, piece in enumerate(pieces) if piece[2])
    return Segment(
        text=text,
        rule=rule,
        literal=literal,
        sets=tuple(piece[0] for piece in pieces),
        atoms=Atoms(len(pieces), skips, loops),
        ends=_plain_ends(text, rule),
    )


def _plain_ends(text: str, rule: Folding) -> tuple[str, str] | None:
    head, star, end = text.partition("*")
    plain = star and not any(char in "*?[" for char in head + end)
    return (fold(head, rule), fold(end, rule)) if plain else None


def parts(text: str) -> list[tuple[str, Ranges]]:
    """`star`, `set` or `char`, each with its characters. A bracket that is never closed stands for itself."""
    found: list[tuple[str, Ranges]] = []
    place = 0
    while place < len(text):
        char, close = text[place], closing(text, place)
        if char == "*":
            found.append(("star", ANY))
        elif char == "?":
            found.append(("set", ANY))
        elif close is not None:
            found.append(_class(text[place + 1 : close]))
            place = close
        else:
            found.append(("char", ((ord(char), ord(char)),)))
        place += 1
    return found


def closing(text: str, place: int) -> int | None:
    """Where the class that begins here ends; None when none begins."""
    if text[place] != "[":
        return None
    first = place + 2 if text[place + 1 : place + 2] == "!" else place + 1
    end = text.find("]", first + 1)
    return None if end < 0 else end


def _class(body: str) -> tuple[str, Ranges]:
    negated = body.startswith("!")
    members = body[1:] if negated else body
    pairs, place = [], 0
    while place < len(members):
        last = place + 2 if members[place + 1 : place + 2] == "-" and place + 2 < len(members) else place
        pairs.append((ord(members[place]), ord(members[last])))
        place = last + 1
    ranges = intersect(ANY, complement(joined(pairs)) if negated else joined(pairs))
    alone = len(ranges) == 1 and ranges[0][0] == ranges[0][1]
    return ("char" if alone else "set"), ranges


def _literal(run: str, rule: Folding) -> list[tuple[Ranges, bool, bool]]:
    return [(((ord(char), ord(char)),), False, False) for char in fold(run, rule)]


def _wide(ranges: Ranges, rule: Folding) -> list[tuple[Ranges, bool, bool]]:
    """One character of a set. Folded it may become several, as sharp s does: then as many may follow, or none."""
    kept, longest, may_vanish = _folded(ranges, rule)
    more = [(_continuations(rule), True, False)] * (longest - 1)
    return [(kept, may_vanish, False), *more]


@lru_cache(maxsize=4096)
def _folded(ranges: Ranges, rule: Folding) -> tuple[Ranges, int, bool]:
    if rule == EXACT:
        return ranges, 1, False
    starts = [low for low, _ in ranges]
    changed = [(code, text) for code, text in foldable(rule) if _holds(ranges, starts, code)]
    gone = complement(joined([(code, code) for code, _ in changed]))
    first = [(ord(text[0]), ord(text[0])) for _, text in changed if text]
    kept = joined([*intersect(ranges, gone), *first])
    return kept, max((len(text) for _, text in changed), default=1), any(not text for _, text in changed)


def _holds(ranges: Ranges, starts: list[int], code: int) -> bool:
    place = bisect_left(starts, code + 1) - 1
    return place >= 0 and code <= ranges[place][1]


@lru_cache(maxsize=8)
def _continuations(rule: Folding) -> Ranges:
    return joined([(ord(char), ord(char)) for _, text in foldable(rule) for char in text[1:]])


def joined(pairs: list[tuple[int, int]]) -> Ranges:
    """The union, in order; a pair that runs backwards holds nothing."""
    made: list[tuple[int, int]] = []
    for low, high in sorted(pair for pair in pairs if pair[0] <= pair[1]):
        if made and low <= made[-1][1] + 1:
            made[-1] = (made[-1][0], max(high, made[-1][1]))
        else:
            made.append((low, high))
    return tuple(made)


def complement(ranges: Ranges) -> Ranges:
    """Every code point that is not in them."""
    edges = [0, *(edge for low, high in ranges for edge in (low - 1, high + 1)), 0x10FFFF]
    return tuple((low, high) for low, high in zip(edges[::2], edges[1::2], strict=True) if low <= high)


@lru_cache(maxsize=16384)
def intersect(one: Ranges, other: Ranges) -> Ranges:
    """What is in both."""
    pairs = ((max(low, least), min(high, most)) for low, high in one for least, most in other)
    return tuple(pair for pair in sorted(pairs) if pair[0] <= pair[1])


@lru_cache(maxsize=65536)
def share(one: Segment, other: Segment) -> bool:
    """Whether some name is matched by both."""
    if one.is_dead or other.is_dead:
        return False
    if one.literal is not None:
        return matches(other, one.literal)
    if other.literal is not None:
        return matches(one, other.literal)
    if _has_only_stars(one.atoms) and _has_only_stars(other.atoms):
        # What stands between the stars of one is taken by a star of the other: only the ends can disagree.
        ends = zip(_ends(one), _ends(other), strict=True)
        return all(intersect(*pair) for mine, theirs in ends for pair in zip(mine, theirs, strict=False))
    return shared_name(one, other) is not None


def _has_only_stars(atoms: Atoms) -> bool:
    return bool(atoms.loops) and atoms.skips == atoms.loops


def _ends(one: Segment) -> tuple[tuple[Ranges, ...], tuple[Ranges, ...]]:
    """What stands before the first star, and behind the last, that from its end."""
    loops = one.atoms.loops
    return one.sets[: (loops & -loops).bit_length() - 1], one.sets[: loops.bit_length() - 1 : -1]


@lru_cache(maxsize=65536)
def shared_name(one: Segment, other: Segment) -> str | None:
    """A name that both match, folded; None when there is none."""
    if one.is_dead or other.is_dead:
        return None
    if one.literal is not None and other.literal is not None:
        return one.literal if one.literal == other.literal else None
    name = _shared(one.sets, one.atoms, other.sets, other.atoms)
    if name in (".", ".."):
        return _no_dots(one, other)
    if name is not None and (not name or name[0] == "."):
        longer = "x" + name
        return longer if matches(one, longer) and matches(other, longer) else name or None
    return name


def _shared(mine: tuple[Ranges, ...], one: Atoms, theirs: tuple[Ranges, ...], other: Atoms) -> str | None:
    masks: dict[Ranges, int] = {}

    def meets(place: int, bits: int) -> int:
        ranges = mine[place]
        if ranges not in masks:
            masks[ranges] = sum(1 << beside for beside, its in enumerate(theirs) if intersect(ranges, its))
        return masks[ranges] & bits

    rows = walk(one, other, meets)
    if rows is None:
        return None
    return "".join(_nicest(intersect(mine[i], theirs[j])) for i, j in trace(rows, one, other, meets))


def _nicest(ranges: Ranges) -> str:
    for code in _NICE:
        if any(low <= code <= high for low, high in ranges):
            return chr(code)
    return chr(ranges[0][0])


def _no_dots(one: Segment, other: Segment) -> str | None:
    """Another name than `.` and `..`, which name no file: one with something else than dots in it, or three of them."""
    dotless = intersect(ANY, complement(((0x2E, 0x2E),)))
    for place, ranges in enumerate(one.sets):
        if one.atoms.loops >> place & 1:
            sets = (*one.sets[:place], ANY, dotless, ANY, *one.sets[place + 1 :])
            name = _shared(sets, _with_one_more(one.atoms, place), other.sets, other.atoms)
        elif intersect(ranges, dotless):
            sets = (*one.sets[:place], intersect(ranges, dotless), *one.sets[place + 1 :])
            skips = one.atoms.skips & ~(1 << place)
            name = _shared(sets, Atoms(one.atoms.count, skips, one.atoms.loops), other.sets, other.atoms)
        else:
            continue
        if name is not None:
            return name
    return "..." if matches(one, "...") and matches(other, "...") else None


def _with_one_more(atoms: Atoms, place: int) -> Atoms:
    """With the loop here made a loop, one thing, and a loop again."""

    def spread(bits: int) -> int:
        below = bits & (1 << place) - 1
        return below | (0b101 << place) | (bits >> place + 1) << place + 3

    return Atoms(atoms.count + 2, spread(atoms.skips), spread(atoms.loops))


def matches(pattern: Segment, name: str) -> bool:
    """Whether it matches this name, folded by its rule."""
    if pattern.literal is not None:
        return pattern.literal == name
    if pattern.ends is not None:
        head, end = pattern.ends
        return len(name) >= len(head) + len(end) and name.startswith(head) and name.endswith(end)
    row, atoms = skipped(1, pattern.atoms), pattern.atoms
    for char in name:
        row &= _takers(pattern, char)
        row = skipped((row << 1) | (row & atoms.loops), atoms)
        if not row:
            return False
    return bool(row >> atoms.count & 1)


@lru_cache(maxsize=65536)
def _takers(pattern: Segment, char: str) -> int:
    """Bits of the atoms that this character may stand at."""
    one = ((ord(char), ord(char)),)
    return sum(1 << place for place, ranges in enumerate(pattern.sets) if intersect(ranges, one))
