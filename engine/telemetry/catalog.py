"""Which log files are there? A walk and a stat of each, nothing opened; newest first where order matters."""

import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from engine.contract.usage import Cursor, Discovered, LogRoot, SeenSession, Unreadable
from engine.telemetry.claude_code import ClaudeCode
from engine.telemetry.codex import Codex
from engine.telemetry.gemini import Gemini
from engine.telemetry.openclaw import OpenClaw
from engine.telemetry.opencode import OpenCode
from engine.telemetry.source import LogFile, Source

SOURCES: dict[str, Source] = {
    source.name: source for source in (ClaudeCode(), Codex(), OpenClaw(), Gemini(), OpenCode())
}

# Deeper than any client nests its logs; stops a walk through links that lead in circles.
_DEEPEST = 12


class Survey:
    """What one walk found. Also the archive in which a log finds the one that it continues a copy of."""

    def __init__(self) -> None:
        self.files: list[LogFile] = []
        self.unreadable: list[Unreadable] = []
        self.closed: list[str] = []
        """Folders that could not be listed: nothing can be missed below them."""
        self._by_session: dict[tuple[str, str], LogFile] | None = None

    def log_of(self, source: str, provider_id: str) -> LogFile | None:
        """The log whose name tells this session id."""
        if self._by_session is None:
            named = ((file.root.source, file.provider_id, file) for file in self.files)
            self._by_session = {(name, session): file for name, session, file in named if session is not None}
        return self._by_session.get((source, provider_id))

    def discovered(self) -> Discovered:
        """Each session once, however many files it has, the last active first."""
        sessions: dict[tuple[str, str, str], SeenSession] = {}
        for file in sorted(self.files, key=lambda file: -file.mtime_ns):
            if file.provider_id is not None:
                identity = (file.root.source, file.root.provider_home, file.provider_id)
                sessions.setdefault(identity, SeenSession(*identity, last_active_ms=file.mtime_ms))
        return Discovered(tuple(sessions.values()), len(self.files), sum(file.size for file in self.files))


def folder_of(root: LogRoot) -> Path:
    """The folder that holds a root's logs."""
    return Path(root.provider_home) / root.folder


def survey(roots: Iterable[LogRoot]) -> Survey:
    """Every log below the roots. A root that is not there holds none."""
    found = Survey()
    for root in roots:
        if root.source in SOURCES:
            _walk(root, str(folder_of(root)), (), found)
    return found


def is_read(file: LogFile, cursor: Cursor | None) -> bool:
    """Whether a cursor stands at the end of a file that nobody has written since."""
    return cursor is not None and stamp(cursor) == stamp(file)


def stamp(file: LogFile | Cursor) -> tuple[int, int, int, int]:
    """What changes when a file does."""
    return file.device, file.inode, file.size, file.mtime_ns


def all_read(roots: tuple[LogRoot, ...], cursors: Iterable[Cursor]) -> bool:
    """Whether there is nothing to read: every log is at its cursor, and none is gone."""
    found, known = survey(roots), {cursor.path: cursor for cursor in cursors}
    return (
        not found.closed
        and all(is_read(file, known.get(file.path)) for file in found.files)
        and not missing(found, roots, known)
    )


def missing(found: Survey, roots: tuple[LogRoot, ...], paths: Iterable[str]) -> tuple[str, ...]:
    """Those of these logs that lie below the roots, in folders that could be listed, and were not found."""
    there = {file.path for file in found.files}
    folders = tuple(f"{folder_of(root)}/" for root in roots)
    closed = tuple(f"{folder}/" for folder in found.closed)
    return tuple(
        path for path in paths if path not in there and path.startswith(folders) and not path.startswith(closed)
    )


def survey_path(roots: Iterable[LogRoot], path: str) -> Survey:
    """The logs at or below one path that changed; a database's write-ahead log stands for the database."""
    found = Survey()
    path = path.removesuffix("-wal")
    for root in roots:
        folder = str(folder_of(root))
        if root.source in SOURCES and f"{path}/".startswith(f"{folder}/"):
            _look(root, path, tuple(path[len(folder) + 1 :].split("/")) if path != folder else (), found)
            break
    return found


def _walk(root: LogRoot, folder: str, parts: tuple[str, ...], found: Survey) -> None:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                _visit(root, entry, (*parts, entry.name), found)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        found.closed.append(folder)
        found.unreadable.append(Unreadable(wire_path(folder), error.strerror or str(error)))


def _visit(root: LogRoot, entry: os.DirEntry[str], parts: tuple[str, ...], found: Survey) -> None:
    try:
        if entry.is_dir():
            if root.folder and len(parts) < _DEEPEST:  # a root without a folder is a home: only its own files are logs
                _walk(root, entry.path, parts, found)
        elif _is_ours(root, entry.path, parts, found):
            _add(root, entry.path, parts, entry.stat(), found)
    except OSError:
        return  # gone since the listing, or a link to nowhere


def _look(root: LogRoot, path: str, parts: tuple[str, ...], found: Survey) -> None:
    try:
        status = Path(path).stat()
    except OSError:
        return
    if stat.S_ISDIR(status.st_mode):
        _walk(root, path, parts, found)
    elif _is_ours(root, path, parts, found):
        _add(root, path, parts, status, found)


def _is_ours(root: LogRoot, path: str, parts: tuple[str, ...], found: Survey) -> bool:
    if not SOURCES[root.source].is_log(parts):
        return False
    if path.isascii() or wire_path(path) == path:
        return True
    found.unreadable.append(Unreadable(wire_path(path), "its name is not UTF-8"))
    return False


def _add(root: LogRoot, path: str, parts: tuple[str, ...], status: os.stat_result, found: Survey) -> None:
    if not stat.S_ISREG(status.st_mode):
        return
    source = SOURCES[root.source]
    size, mtime_ns = status.st_size, status.st_mtime_ns
    for companion in source.companions(path):
        with contextlib.suppress(OSError):
            beside = os.stat(companion)  # noqa: PTH116 - one of thousands, on every sweep
            size, mtime_ns = size + beside.st_size, max(mtime_ns, beside.st_mtime_ns)
    found.files.append(
        LogFile(
            root=root,
            path=path,
            parts=parts,
            size=size,
            mtime_ns=mtime_ns,
            device=status.st_dev,
            inode=status.st_ino,
            provider_id=source.provider_id(parts),
        )
    )


def wire_path(path: str) -> str:
    """A path that can be written as UTF-8, with `?` where it could not."""
    return path.encode("utf-8", "replace").decode()
