"""What is new in an opencode database since its cursor?

1.x writes the tables `session` and `message`; 2.x writes `session_v2` (in some versions `session`) and
`session_message`, into which it copies the older rows under their ids while the older tables stay as they are. Both
tables are read, and a row that is in both once. `message.data` is updated in place: a message appears when the request
begins and gets its tokens at the end. So the messages that nobody has finished are looked at again on every read;
a later assistant message in the same session shows that an unfinished one never will be.
"""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from engine.contract.usage import Cursor, LogBatch, Response, SeenSession, SessionPart
from engine.telemetry import foreign
from engine.telemetry.foreign import Foreign, Place, as_text
from engine.telemetry.opencode_rows import Counts, Message, counts_of, identity, message_of, response_of
from engine.telemetry.rows import BadRow
from engine.telemetry.source import TITLE_CHARS, Facts, Findings, LogFile

MESSAGE_TABLES = ("session_message", "message")
SESSION_TABLES = ("session_v2", "session")
COUNTED = ("assistant", "compaction")
# Messages that a crash left unfinished stay so; one per session is remembered, the newest this many.
MOST_OPEN = 1_000


class _Open(Struct, array_like=True):
    """A message that somebody may still be writing."""

    rowid: int
    id: str
    session: str
    key: str = ""
    """The identity it was reported under; empty while it had no tokens."""
    told: str = ""
    """Its identity by the counts reported last: another one is news."""


class _Table(Struct, omit_defaults=True):
    place: Place = Place()
    open: list[_Open] = []


class _Carry(Struct):
    tables: dict[str, _Table]


class _Row(NamedTuple):
    rowid: int
    id: str
    session: str
    type: str | None
    """The 2.x type; in 1.x the role is in the message."""
    data: bytes


class _Session(NamedTuple):
    """What the client knows about a session. All times in milliseconds."""

    title: str | None = None
    workspace: str | None = None
    created_ms: int | None = None
    updated_ms: int | None = None
    forked_from: str | None = None


_CARRY = msgspec.json.Decoder(_Carry)


def read_database(file: LogFile, cursor: Cursor | None) -> Iterator[LogBatch]:
    """The batches that bring a cursor to the end of the database. Raises `OSError`."""

    def start(database: Foreign, head: str, known: _Carry | None) -> _Reading:
        return _Reading(file, database, head, known or _Carry({}))

    return foreign.read_tables(file, cursor, _CARRY, _message_tables, start)


def _message_tables(database: Foreign) -> tuple[str, ...]:
    found = tuple(name for name in MESSAGE_TABLES if {"id", "session_id", "data"} <= database.columns(name))
    if not found and not database.is_empty():
        raise OSError("not a database of opencode as we know it: it has neither table message nor session_message")
    return found


class _Reading:
    """One read of one database, in batches."""

    def __init__(self, file: LogFile, database: Foreign, head: str, carry: _Carry) -> None:
        self._file = file
        self._database = database
        self._head = head
        self._carry = carry
        self._found_again: set[str] = set()
        self._sessions: dict[str, _Session] = {}
        self.restarted = False
        self._clear()

    def _clear(self) -> None:
        self._findings: dict[str, Findings] = {}
        self._facts: dict[str, Facts] = {}
        self._refused: dict[str, int] = {}
        self._dropped: dict[str, int] = {}
        self._rows = 0

    def read_some(self, name: str) -> bool:
        """Take the next rows of a table; whether there may be more."""
        table = self._carry.tables.setdefault(name, _Table())
        with self._database.snapshot():
            if name not in self._found_again:
                self._find_again(name, table)
            for row, known in list(self._open_rows(name, table)):
                self._take(table, row, known)
            rows = 0
            last = None
            for last in self._new_rows(name, table.place.last):
                rows += 1
                self._take(table, last, None)
            if last is not None:
                table.place = table.place.moved(last.rowid, last.id)
            del table.open[:-MOST_OPEN]
            self._rows += rows
            self._drop_copies(name)
        return rows == foreign.BATCH_ROWS

    def _find_again(self, name: str, table: _Table) -> None:
        self._found_again.add(name)
        place = self._database.found_again(table.place, name, "id")
        if table.place.last and not place.last:
            self.restarted = True
        table.place = place

    def _open_rows(self, name: str, table: _Table) -> Iterator[tuple[_Row, _Open]]:
        known = {(entry.rowid, entry.id): entry for entry in table.open}
        table.open = []
        if known:
            asked = msgspec.json.encode([rowid for rowid, _ in known]).decode()
            for row in self._rows_of(name, "rowid IN (SELECT value FROM json_each(?)) ORDER BY rowid", asked):
                if (row.rowid, row.id) in known:
                    yield row, known[row.rowid, row.id]

    def _new_rows(self, name: str, after: int) -> Iterator[_Row]:
        once = ""
        if name == "message" and self._database.columns("session_message"):
            once = "AND NOT EXISTS (SELECT 1 FROM session_message WHERE session_message.id = message.id)"
        return self._rows_of(name, f"rowid > ? {once} ORDER BY rowid LIMIT {foreign.BATCH_ROWS}", after)

    def _rows_of(self, name: str, where: str, parameter: int | str) -> Iterator[_Row]:
        kind = "type" if "type" in self._database.columns(name) else "NULL"
        sql = f"SELECT rowid, id, session_id, {kind}, data FROM {name} WHERE {where}"
        for rowid, row_id, session, row_type, data in self._database.ask(sql, parameter):
            row = (rowid, as_text(row_id), as_text(session), row_type and as_text(row_type))
            yield _Row(*row, data if isinstance(data, bytes) else as_text(data).encode())

    def _take(self, table: _Table, row: _Row, known: _Open | None) -> None:
        try:
            message = message_of(row.data)
            facts = self._facts.setdefault(row.session, Facts(row.session))
            facts.seen_at(message.last_ms)
            kind = row.type or message.role
            if kind not in COUNTED:
                return
            if kind == "assistant":
                table.open = [entry for entry in table.open if entry.session != row.session]
            self._count(table, row, message, known)
        except BadRow as bad:
            if row.type in (None, *COUNTED):  # other rows are free to use our field names for other things
                self._refused[bad.args[0]] = self._refused.get(bad.args[0], 0) + 1

    def _count(self, table: _Table, row: _Row, message: Message, known: _Open | None) -> None:
        entry = known or _Open(row.rowid, row.id, row.session)
        counts = counts_of(message)
        if counts:
            now = identity(message, counts, row.id)
            if message.is_settled or now != entry.told:
                entry.key, entry.told = entry.key or now, now
                self._found(row, message, counts, entry.key)
        if not message.is_settled:
            table.open.append(entry)

    def _found(self, row: _Row, message: Message, counts: Counts, key: str) -> None:
        response = response_of(message, counts, key, self._file.mtime_ms, row.rowid)
        self._findings.setdefault(row.session, Findings()).add(response)
        if message.status is None:
            facts = self._facts[row.session]
            facts.model = response.model or facts.model
            facts.context_tokens = sum(counts)

    def _drop_copies(self, name: str) -> None:
        """A response from before its session began was copied when the session was forked. It is dropped where an
        earlier row of the database tells it too, else kept as what is left of it."""
        copies = [
            (session, response)
            for session, findings in self._findings.items()
            for response in findings.responses.values()
            if self._may_be_copied(session, response)
        ]
        if not copies:
            return
        first = self._first_tellers(name, [response.at_ms for _, response in copies])
        for session, response in copies:
            original = first.get(response.key)
            if original is not None and original.rowid < response.offset and original.session != session:
                del self._findings[session].responses[response.key]
                self._dropped["fork"] = self._dropped.get("fork", 0) + 1
                self._facts[session].forked_from = self._facts[session].forked_from or original.session
            elif self._session(session).forked_from is None and self._began(session) is not None:
                kept = replace(response, confidence="inferred")
                self._findings[session].responses[response.key] = kept

    def _may_be_copied(self, session: str, response: Response) -> bool:
        began = self._began(session)
        return began is None or response.at_ms < began

    def _began(self, session: str) -> int | None:
        return self._session(session).created_ms

    def _first_tellers(self, name: str, created: list[int]) -> dict[str, _Row]:
        """The first row of each response among those that began at these times."""
        time = (
            "time_created" if "time_created" in self._database.columns(name) else "json_extract(data, '$.time.created')"
        )
        asked = msgspec.json.encode(sorted(set(created))).decode()
        first: dict[str, _Row] = {}
        for row in self._rows_of(name, f"{time} IN (SELECT value FROM json_each(?)) ORDER BY rowid", asked):
            try:
                message = message_of(row.data)
                counts = counts_of(message)
            except BadRow:
                continue
            if counts:
                first.setdefault(identity(message, counts, row.id), row)
        return first

    def _session(self, session: str) -> _Session:
        if session not in self._sessions:
            self._sessions[session] = self._ask_session(session)
        return self._sessions[session]

    def _ask_session(self, session: str) -> _Session:
        for table in SESSION_TABLES:
            columns = self._database.columns(table)
            names = ("title", "directory", "time_created", "time_updated", "fork_session_id")
            if "id" not in columns:
                continue
            wanted = ", ".join(name if name in columns else "NULL" for name in names)
            for title, directory, created, updated, parent in self._database.ask(
                f"SELECT {wanted} FROM {table} WHERE id = ?", session
            ):
                return _Session(
                    title=as_text(title)[:TITLE_CHARS] if title else None,
                    workspace=as_text(directory) if directory else None,
                    created_ms=created if isinstance(created, int) else None,
                    updated_ms=updated if isinstance(updated, int) else None,
                    forked_from=as_text(parent) if parent else None,
                )
        return _Session()

    def batch(self, *, ended: bool) -> LogBatch:
        """Everything taken since the last one."""
        made = LogBatch(
            source=self._file.root.source,
            cursor=foreign.cursor_of(
                self._file, self._head, msgspec.json.encode(self._carry), self._rows_read(), ended=ended
            ),
            parts=tuple(
                SessionPart(self._seen(session, facts), tuple(self._responses(session)))
                for session, facts in self._facts.items()
            ),
            lines=self._rows,
            refused=self._refused,
            dropped=self._dropped,
            restarted=self.restarted,
        )
        self.restarted = False
        self._sessions.clear()
        self._clear()
        return made

    def _rows_read(self) -> int:
        return sum(table.place.last for table in self._carry.tables.values())

    def _responses(self, session: str) -> tuple[Response, ...]:
        findings = self._findings.get(session)
        return tuple(findings.responses.values()) if findings else ()

    def _seen(self, session: str, facts: Facts) -> SeenSession:
        about = self._session(session)
        facts.seen_at(about.created_ms)
        facts.started_ms = about.created_ms or facts.started_ms
        facts.workspace = about.workspace
        facts.title = about.title
        facts.forked_from = about.forked_from or facts.forked_from
        return facts.session(self._file.root, session, about.updated_ms or self._file.mtime_ms)
