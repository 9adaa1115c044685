"""What did the parent of a forked Codex thread write? Reads its rollout's token rows, and keeps the last few parents'.

A parent that is still written is read on from where it was left: each of its subagents asks for it.
"""

from collections import OrderedDict

from engine.contract.usage import Cursor
from engine.telemetry.codex_replay import Parent
from engine.telemetry.codex_rows import COUNTERS, EVENT, ROW, Counter, info_of, rows_with
from engine.telemetry.lines import Block
from engine.telemetry.log_text import LogText, opened_text
from engine.telemetry.rows import BadRow, decode, time_ms
from engine.telemetry.source import Archive

_PARENTS = 4
# A row is about 300 bytes in memory. More than these are no session that could be matched.
_ROWS = 100_000


class Parents:
    """The last few parents that were asked for."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, _Rollout] = OrderedDict()

    def rows_of(self, archive: Archive, thread_id: str, child_path: str) -> Parent | None:
        """Every `token_count` of a thread so far. `None`: its file is not there, or not to be read as a whole."""
        file = archive.log_of("codex", thread_id)
        if file is None or file.path == child_path:
            return None
        rollout = self._known.pop(file.path, None) or _Rollout()
        try:
            with opened_text(file.path) as text:
                rollout = rollout.read(file.path, text)
        except OSError:
            return None
        self._known[file.path] = rollout
        if len(self._known) > _PARENTS:
            self._known.popitem(last=False)
        return rollout.rows if rollout.whole else None


class _Rollout:
    """The token rows of one file, as far as it is read."""

    def __init__(self) -> None:
        self.rows: Parent = []
        self.whole = True
        self._cursor: Cursor | None = None

    def read(self, path: str, text: LogText) -> "_Rollout":
        """Itself with what is new, or another one where the file is not the same any more."""
        if self._cursor and text.is_read(self._cursor):
            return self
        if self._cursor and not text.continues(self._cursor):
            return _Rollout().read(path, text)
        offset = self._cursor.offset if self._cursor else 0
        for block in text.blocks(offset):
            self._take(block)
            offset = block.end
        self.whole = self.whole and not text.damaged and len(self.rows) <= _ROWS
        status = text.status
        self._cursor = Cursor(
            path=path,
            device=status.st_dev,
            inode=status.st_ino,
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
            offset=offset,
            head_hash=text.head_hash(offset),
        )
        return self

    def _take(self, block: Block) -> None:
        for _, line in rows_with(block.data, COUNTERS):
            try:
                counter = _counter(line)
            except BadRow:
                continue
            unchanged = self.rows and counter and counter.total and counter.total == self.rows[-1].total
            if counter is not None and not unchanged and len(self.rows) <= _ROWS:
                self.rows.append(counter)


def _counter(line: bytes) -> Counter | None:
    row = decode(ROW, line)
    event = decode(EVENT, row.payload) if row.type == "event_msg" else None
    info = info_of(event.info) if event and event.type == "token_count" else None
    return info.counter(time_ms(row.timestamp)) if info else None
