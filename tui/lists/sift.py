"""Which rows does a filter leave? Of what was typed after `/`, all words must hold. Nothing that can be typed is wrong.

`text` must be in a row, `!text` must not, of `~text` the letters must stand in a row in that order, close together. A
row is looked at cell by cell, so that what matched can be seen in one place.
"""

from typing import Literal

from msgspec import Struct

Kind = Literal["contains", "without", "fuzzy"]

CLOSE = 3
"""Letters of a fuzzy word stand within so many times its length: what is scattered over a line is no likeness."""


class Word(Struct, frozen=True):
    """One condition."""

    text: str
    """In lower case."""
    absent: bool = False
    fuzzy: bool = False

    def holds(self, cells: str) -> bool:
        """`cells` is what a row says in lower case, a line for each of its cells."""
        found = likeness(self.text, cells) is not None if self.fuzzy else self.text in cells
        return found is not self.absent


class Sieve(Struct, frozen=True):
    """What was typed, as it is understood; without a word it lets everything through."""

    words: tuple[Word, ...] = ()

    def lets_through(self, cells: str) -> bool:
        return all(word.holds(cells) for word in self.words)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Which kinds of condition there are, in the order of the words."""
        return tuple(dict.fromkeys("without" if w.absent else "fuzzy" if w.fuzzy else "contains" for w in self.words))

    @property
    def fuzzy(self) -> tuple[str, ...]:
        """The fuzzy words that must be there: what they match has to be shown."""
        return tuple(word.text for word in self.words if word.fuzzy and not word.absent)


def sieve(text: str) -> Sieve:
    """A mark without a text after it says nothing yet."""
    return Sieve(tuple(word for part in text.casefold().split() if (word := _word(part)).text))


def _word(part: str) -> Word:
    absent = part.startswith("!")
    part = part[1:] if absent else part
    fuzzy = part.startswith("~")
    return Word(part[1:] if fuzzy else part, absent, fuzzy)


def likeness(letters: str, cells: str) -> tuple[int, ...] | None:
    """Where in one of the lines the letters stand, one after the other and close together; None when they do not."""
    start = cells.find(letters[0]) if letters else -1
    while start >= 0:
        places = _from(letters, cells, start)
        if places is not None:
            return places
        start = cells.find(letters[0], start + 1)
    return None


def _from(letters: str, cells: str, start: int) -> tuple[int, ...] | None:
    end = cells.find("\n", start)
    end = min(len(cells) if end < 0 else end, start + CLOSE * len(letters))
    places = [start]
    for letter in letters[1:]:
        at = cells.find(letter, places[-1] + 1, end)
        if at < 0:
            return None
        places.append(at)
    return tuple(places)


def title_words(text: str) -> str:
    """What was typed, and of which kind it is where that is not the plain one: `/!idle (without)`."""
    kinds = [kind for kind in sieve(text).kinds if kind != "contains"]
    return f"/{text} ({', '.join(kinds)})" if kinds else f"/{text}"
