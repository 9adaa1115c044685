"""Which file could be meant? The end of a word that begins like one in the workspace, for a field that names some."""

import asyncio
import os
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from textual.suggester import Suggester

from tui.clean import clean

LOOKED_AT = 2000
"""Entries of a folder that are looked at: whoever has more types more."""


class PathSuggester(Suggester):
    """Names only, never what is in a file; nothing outside the folder. Reads the disk in a thread."""

    def __init__(self, folder: Callable[[], str], came: Callable[[], None]) -> None:
        """`came` is called once something is offered."""
        super().__init__(use_cache=False, case_sensitive=True)
        self._folder, self._came = folder, came
        self._last: tuple[str, str | None] = ("", None)

    def offered(self, value: str) -> str | None:
        """What was found for exactly this."""
        return self._last[1] if self._last[0] == value else None

    async def get_suggestion(self, value: str) -> str | None:
        found = await asyncio.to_thread(path_completed, value, self._folder())
        self._last = (value, found)
        if found is not None:
            self._came()
        return found


def path_completed(typed: str, folder: str) -> str | None:
    """What was typed, with its last word as the first name that goes on from it; None when there is none."""
    before, blank, word = typed.rpartition(" ")
    within, slash, begun = word.rpartition("/")
    if not word or word.startswith(("/", "~")) or ".." in Path(word).parts:
        return None
    try:
        root = Path(folder or ".").expanduser().resolve()
        here = (root / within).resolve()
        name = _first(here, begun) if here.is_relative_to(root) else None
    except (OSError, RuntimeError, ValueError):
        return None
    return f"{before}{blank}{within}{slash}{name}" if name is not None else None


def _first(here: Path, begun: str) -> str | None:
    """Of a folder with a slash behind it. What is hidden is only found by its dot; a blank would end the word."""
    found = []
    with os.scandir(here) as entries:
        for entry in islice(entries, LOOKED_AT):
            name = f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name
            plain = " " not in name and clean(name, len(name)) == name
            hidden = name.startswith(".") and not begun.startswith(".")
            if plain and not hidden and name.startswith(begun) and len(name) > len(begun):
                found.append(name)
    return min(found, default=None)
