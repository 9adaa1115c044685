"""Which folder changed just now? One `watchfiles` thread per folder, since folders come and go one by one.

Debounce 50 ms: the defaults tell of a change after 767 ms. A step of 5 ms told after 8 ms but cost 3 % of a core on
quiet folders; 25 ms costs a fifth of that.
"""

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

DEBOUNCE_MS = 50
STEP_MS = 25
TIMEOUT_MS = 5_000


class Changed(NamedTuple):
    """Paths in a watched folder that were written, made or removed; the folder itself when its watch begins."""

    paths: frozenset[str]


class NotWatched(NamedTuple):
    """A folder whose changes are found by the sweep only."""

    folder: str
    why: str


class Watcher:
    """Keeps the folders that exist watched."""

    def __init__(self, tell: Callable[[Changed | NotWatched], None]) -> None:
        self._tell = tell
        self._watched: dict[Path, tuple[tuple[int, int], threading.Event]] = {}

    def keep(self, folders: Iterable[tuple[Path, bool]]) -> None:
        """Watch what newly exists, with what is below it or without; a folder that was made anew is another one and
        needs another watch."""
        for folder, deep in folders:
            identity = _identity(folder)
            known = self._watched.get(folder)
            if known is not None and known[0] != identity:
                known[1].set()
                del self._watched[folder]
            if identity is not None and folder not in self._watched:
                self._start(folder, identity, deep)

    def _start(self, folder: Path, identity: tuple[int, int], deep: bool) -> None:
        stop = threading.Event()
        self._watched[folder] = (identity, stop)
        threading.Thread(target=self._follow, args=(folder, deep, stop), name=f"watch {folder}", daemon=True).start()

    def _follow(self, folder: Path, deep: bool, stop: threading.Event) -> None:
        try:
            # Imported here: 58 ms that the first message does not wait for.
            from watchfiles._rust_notify import RustNotify

            # `watchfiles.watch` does not say when it has begun, and what changed before that would be missed.
            with RustNotify([str(folder)], False, False, 0, deep, True) as changes:
                self._tell(Changed(frozenset([str(folder)])))
                while (change := changes.watch(DEBOUNCE_MS, STEP_MS, TIMEOUT_MS, stop)) not in ("stop", "signal"):
                    if isinstance(change, set):
                        self._tell(Changed(frozenset(path for _, path in change)))
        except (OSError, RuntimeError) as error:  # no inotify left, or a file system without it
            self._tell(NotWatched(str(folder), f"changes are looked for every few seconds only: {error}"))


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
