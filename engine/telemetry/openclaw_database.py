"""What is new in the database of an OpenClaw agent since its cursor?

`transcript_events(session_id, seq, event_json, created_at)`, from schema 23 on with `event_zstd` in place of
`event_json` for packed events: both columns are read. Whole transcripts that were reset, deleted or gone cold may be
kept as a blob of lines in `session_transcript_archives` and `session_transcript_cold_archives`. Column names by the
public schema of 2026.8 and 2026.9; another one is refused.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any

import msgspec
import zstandard
from msgspec import Struct

from engine.contract.usage import Cursor, LogBatch, SessionPart
from engine.telemetry import foreign
from engine.telemetry.foreign import Foreign, Place, as_text
from engine.telemetry.lines import LONGEST_LINE, whole_lines
from engine.telemetry.openclaw_events import Model, Transcript, model_chosen
from engine.telemetry.rows import BadRow
from engine.telemetry.source import Facts, Findings, LogFile

EVENTS = "transcript_events"
ARCHIVES = ("session_transcript_archives", "session_transcript_cold_archives")
# Enough to see a session's header and the operator's first prompt.
_FIRST_EVENTS = 20
# Four bytes can stand for 128 KiB, so a step of this length never gives more than 64 MiB.
_STEP_BYTES = 2048
_ZSTD = b"\x28\xb5\x2f\xfd"
_PAYLOADS = ("event_json", "event_zstd")
_NO_MODEL = Model("")
"""Asked for, and there is none."""


class _Carry(Struct):
    tables: dict[str, Place]


_CARRY = msgspec.json.Decoder(_Carry)


def read_database(file: LogFile, cursor: Cursor | None) -> Iterator[LogBatch]:
    """The batches that bring a cursor to the end of the database. Raises `OSError`."""

    def start(database: Foreign, head: str, known: _Carry | None) -> _Reading:
        return _Reading(file, database, head, known or _Carry({}))

    return foreign.read_tables(file, cursor, _CARRY, _tables, start)


def _tables(database: Foreign) -> tuple[str, ...]:
    columns = database.columns(EVENTS)
    if "session_id" not in columns or not columns & set(_PAYLOADS):
        if database.is_empty():
            return ()
        raise OSError(f"not a database of OpenClaw as we know it: table {EVENTS} lacks session_id or event_json")
    return EVENTS, *(name for name in ARCHIVES if {"session_id", "archive_blob"} <= database.columns(name))


class _Reading:
    """One read of one database, in batches."""

    def __init__(self, file: LogFile, database: Foreign, head: str, carry: _Carry) -> None:
        self._file = file
        self._database = database
        self._head = head
        self._places = carry.tables
        self._found_again: set[str] = set()
        self.restarted = False
        self._clear()

    def _clear(self) -> None:
        self._sessions: dict[str, tuple[Transcript, Findings]] = {}
        self._refused: dict[str, int] = {}
        self._rows = 0

    def read_some(self, name: str) -> bool:
        """Take the next rows of a table; whether there may be more."""
        with self._database.snapshot():
            place = self._place(name)
            limit = foreign.BATCH_ROWS if name == EVENTS else 1
            rows = 0
            last: tuple[int, str] | None = None
            for rowid, row_name, session, *payload in self._new_rows(name, place.last, limit):
                rows += 1
                last = rowid, as_text(row_name)
                if name == EVENTS:
                    self._take_event(rowid, as_text(session), payload)
                else:
                    self._take_archive(rowid, as_text(session), payload[0])
            self._places[name] = place.moved(*last) if last else place
            self._rows += rows
        return rows == limit

    def _place(self, name: str) -> Place:
        place = self._places.get(name, Place())
        if name not in self._found_again:
            self._found_again.add(name)
            known, place = place, self._database.found_again(place, name, self._name_of_row(name))
            self.restarted = self.restarted or bool(known.last and not place.last)
        return place

    def _name_of_row(self, name: str) -> str:
        """A rewritten transcript uses its numbers again, but not its times."""
        columns = self._database.columns(name)
        told = [
            column for column in ("session_id", "seq", "generation", "created_at", "archived_at") if column in columns
        ]
        return " || ':' || ".join(told)

    def _new_rows(self, name: str, after: int, limit: int) -> Iterator[tuple[Any, ...]]:
        payloads = _PAYLOADS if name == EVENTS else ("archive_blob",)
        columns = self._database.columns(name)
        wanted = ", ".join(payload if payload in columns else "NULL" for payload in payloads)
        return self._database.ask(
            f"SELECT rowid, {self._name_of_row(name)}, session_id, {wanted} FROM {name}"
            f" WHERE rowid > ? ORDER BY rowid LIMIT {limit}",
            after,
        )

    def _take_event(self, rowid: int, session: str, payload: list[Any]) -> None:
        try:
            line = _line(payload)
            transcript, findings = self._session(session, rowid, line)
            response = transcript.take(line, rowid)
        except BadRow as bad:
            self._refuse(bad)
        else:
            if response is not None:
                findings.add(response)

    def _take_archive(self, rowid: int, session: str, blob: Any) -> None:
        if not isinstance(blob, bytes):
            return  # the archive is a file
        transcript = Transcript(Facts(session), Model(), self._file.mtime_ms)
        findings = self._sessions.setdefault(session, (transcript, Findings()))[1]
        try:
            for line in _lines(blob):
                try:
                    response = transcript.take(line, rowid)
                except BadRow as bad:
                    self._refuse(bad)
                else:
                    if response is not None:
                        findings.add(response)
        except BadRow as bad:
            self._refuse(bad)

    def _refuse(self, bad: BadRow) -> None:
        self._refused[bad.args[0]] = self._refused.get(bad.args[0], 0) + 1

    def _session(self, session: str, before: int, line: bytes) -> tuple[Transcript, Findings]:
        if session not in self._sessions:
            facts = self._first_facts(session)
            self._sessions[session] = Transcript(facts, Model(), self._file.mtime_ms), Findings()
        transcript, findings = self._sessions[session]
        if transcript.model == Model() and b'"usage"' in line:
            transcript.model = self._model_before(session, before)
        return transcript, findings

    def _first_facts(self, session: str) -> Facts:
        """What the header and the first prompt say, whenever they were read."""
        facts = Facts(session)
        first = Transcript(facts, Model(), self._file.mtime_ms)
        for payload in self._events_of(session, f"ORDER BY rowid LIMIT {_FIRST_EVENTS}"):
            try:
                first.take(_line(payload), 0)
            except BadRow:
                continue  # it is refused where it is counted
        return Facts(
            session, facts.started_ms, workspace=facts.workspace, title=facts.title, forked_from=facts.forked_from
        )

    def _model_before(self, session: str, rowid: int) -> Model:
        """The model chosen last before a row; asked once per batch and session, as most messages name their own."""
        for payload in self._events_of(session, f"AND rowid < {rowid} ORDER BY rowid DESC"):
            try:
                chosen = model_chosen(_line(payload))
            except BadRow:
                continue
            if chosen is not None:
                return chosen
        return _NO_MODEL

    def _events_of(self, session: str, rest: str) -> Iterator[list[Any]]:
        columns = self._database.columns(EVENTS)
        wanted = ", ".join(payload if payload in columns else "NULL" for payload in _PAYLOADS)
        for payload in self._database.ask(f"SELECT {wanted} FROM {EVENTS} WHERE session_id = ? {rest}", session):
            yield list(payload)

    def batch(self, *, ended: bool) -> LogBatch:
        """Everything taken since the last one."""
        root, fallback_ms = self._file.root, self._file.mtime_ms
        rows_read = sum(place.last for place in self._places.values())
        made = LogBatch(
            source=root.source,
            cursor=foreign.cursor_of(
                self._file, self._head, msgspec.json.encode(_Carry(self._places)), rows_read, ended=ended
            ),
            parts=tuple(
                SessionPart(transcript.facts.session(root, session, fallback_ms), tuple(findings.responses.values()))
                for session, (transcript, findings) in self._sessions.items()
            ),
            lines=self._rows,
            refused=self._refused,
            restarted=self.restarted,
        )
        self.restarted = False
        self._clear()
        return made


def _line(payload: list[Any]) -> bytes:
    """The JSON of an event, packed or not. Raises `BadRow`."""
    text, packed = payload
    if isinstance(text, str | bytes):
        line = text if isinstance(text, bytes) else text.encode()
    elif isinstance(packed, bytes):
        line = _unpacked(packed)
    else:
        raise BadRow("no_event")
    if len(line) > LONGEST_LINE:
        raise BadRow("too_long")
    return line


def _unpacked(packed: bytes) -> bytes:
    try:
        if zstandard.frame_content_size(packed) > LONGEST_LINE:
            raise BadRow("too_long")
        return zstandard.ZstdDecompressor().decompress(packed, max_output_size=LONGEST_LINE)
    except zstandard.ZstdError:
        raise BadRow("bad_zst") from None


def _lines(blob: bytes) -> Iterator[bytes]:
    """The lines of an archived transcript. Raises `BadRow` where it ends too early."""
    pieces = _pieces(blob) if blob.startswith(_ZSTD) else iter([blob])
    for block in whole_lines(chain(pieces, [b"\n"]), 0):
        yield from (line for line in block.data.split(b"\n") if line and not line.isspace())


def _pieces(packed: bytes) -> Iterator[bytes]:
    frame = zstandard.ZstdDecompressor().decompressobj()
    try:
        for begin in range(0, len(packed), _STEP_BYTES):
            yield frame.decompress(packed[begin : begin + _STEP_BYTES])
    except zstandard.ZstdError:
        raise BadRow("bad_zst") from None
    if not frame.eof:
        raise BadRow("bad_zst")
