"""Which figures have just changed? They stand out for about two ticks of the console's clock.

A mark is heavier type, not a colour and not a character: it reads in every theme, shifts no column, and costs the two
bytes of its style, and the figure once more when it goes.
"""

from collections.abc import Hashable, Iterable, Mapping

from tui.theme import Tone

TICKS = 2
_SIGNALS: tuple[Tone, ...] = ("warn", "bad")
"""What calls for attention says that, and not that it is new."""


class Fresh:
    """What was said last of each figure, and which of them said something else just now."""

    def __init__(self) -> None:
        self._said: dict[Hashable, str] = {}
        self._left: dict[Hashable, int] = {}

    def take(self, said: Mapping[Hashable, str]) -> None:
        """What is said of all figures now. One that was not there before is not fresh: all would be, at first."""
        for key, text in said.items():
            if self._said.get(key, text) != text:
                self._left[key] = TICKS
        self._said = dict(said)

    def age(self) -> bool:
        """A tick has passed. Returns whether any mark has gone."""
        before = len(self._left)
        self._left = {key: left - 1 for key, left in self._left.items() if left > 1}
        return len(self._left) != before

    def __contains__(self, key: Hashable) -> bool:
        return key in self._left

    def tone(self, key: Hashable, tone: Tone = "text") -> Tone:
        """The tone of the figure, marked when it is fresh."""
        return "bold" if key in self._left and tone not in _SIGNALS else tone

    def among(self, keys: Iterable[str]) -> frozenset[str]:
        """Those of them that are fresh."""
        return frozenset(key for key in keys if key in self._left)
