"""How is an act of the operator taken back, and why can it not be any more?

The newest first. What others have done since stands: then nothing is taken back, and one line says why. Such an act is
only gone past when the operator says so.
"""

import asyncio
from collections.abc import Callable

import msgspec
from msgspec import Struct

from engine.config.write import Left, put_back, why_not_back
from engine.contract.clock import Clock
from engine.contract.orders import Edited, EditedEntry, Undo
from engine.runtime.settings import CHECKS
from state import events, journal, runs, sessions, skills, spool
from state.database import Connection, Database
from state.errors import QuarterdeckError, Refused
from state.home import Home


class ResetUndo(Struct, frozen=True, tag="reset"):
    """How to take a reset back, as the journal keeps it."""

    session_id: int
    generation_id: int
    back_to: int


class EditUndo(Struct, frozen=True, tag="edit"):
    """How to take an edit of the configuration back: by its whole text before, or by its entries in that."""

    before: str | None
    """None when there was no file."""
    after_sha256: str
    entries: tuple[EditedEntry, ...] = ()

    def left(self) -> list[Left]:
        return [Left(one.section, one.name, one.sha256) for one in self.entries]


class AllowUndo(Struct, frozen=True, tag="allow"):
    """How to hold a skill again that was allowed."""

    name: str
    path: str
    sha256: str
    before: skills.Pin | None
    """What was allowed of it until then."""


Way = ResetUndo | EditUndo | AllowUndo
_WAYS: msgspec.json.Decoder[Way] = msgspec.json.Decoder(Way)


class Undoable(Struct, frozen=True):
    """One act that something would take back."""

    id: int
    at_ms: int
    said: str
    made_by: str
    why_not: str
    """Why it cannot be taken back any more; empty when it can."""


def kept(way: Way) -> str:
    """As the journal keeps it."""
    return msgspec.json.encode(way).decode()


def undoable(connection: Connection, home: Home, limit: int = journal.KEPT_UNDO) -> list[Undoable]:
    """Acts that could be taken back, one after the other, the newest first."""
    found = journal.standing(connection, limit)
    return [Undoable(one.id, one.at_ms, one.said, one.made_by, why_not(connection, home, one)) for one in found]


def why_not(connection: Connection, home: Home, entry: journal.Entry) -> str:
    """Why this act cannot be taken back as things are; empty when it can."""
    try:
        way = _way_of(entry)
    except msgspec.DecodeError:
        return "another version of Quarterdeck has put it on record"
    match way:
        case ResetUndo(session_id, generation_id):
            if runs.used(connection, generation_id):
                return "a run has used its new generation"
            moved = sessions.get(connection, session_id).generation_id != generation_id
            return f"session {session_id} has moved on since" if moved else ""
        case EditUndo(before, after_sha256) as edit:
            try:
                return why_not_back(home.config_file, before, after_sha256, edit.left(), CHECKS)
            except (QuarterdeckError, OSError) as error:
                return f"the configuration cannot be read: {error}"
        case AllowUndo(name, path, sha256):
            pin = skills.pin_of(connection, name, path)
            return "" if pin is not None and pin.sha256 == sha256 else f"skill {name} has been allowed anew since"


class Undoing:
    """The engine's side of `qd undo`."""

    def __init__(self, home: Home, database: Database, clock: Clock, reload: Callable[[], None]) -> None:
        self._home = home
        self._database = database
        self._clock = clock
        self._reload = reload

    async def note_edit(self, order: spool.Order) -> None:
        """The operator has edited the configuration: keep what it said before."""
        done = msgspec.json.decode(order.body, type=Edited)
        way = kept(EditUndo(done.before, done.after_sha256, done.entries))
        with self._database.transaction() as tx:
            entry = journal.add(tx, order.created_ms, done.verb, done.subject, way, order.made_by)
            spool.store_answer(tx, order, self._clock.now_ms(), True, {"entry": entry})

    async def undo(self, order: spool.Order) -> None:
        """Take back the newest act that stands. Raises Refused."""
        wanted = msgspec.json.decode(order.body, type=Undo)
        passed, entry = self._chosen(wanted)
        way = None if entry is None else _way_of(entry)
        if isinstance(way, EditUndo):
            path = self._home.config_file
            await asyncio.to_thread(put_back, path, way.before, way.after_sha256, way.left(), CHECKS)
        now_ms = self._clock.now_ms()
        with self._database.transaction() as tx:
            for one in passed:
                journal.go_past(tx, one.id)
            if entry is not None and way is not None:
                _take_back(tx, entry, way, now_ms)
            answer = {"undone": entry and entry.said, "passed": [one.said for one in passed]}
            spool.store_answer(tx, order, now_ms, True, answer)
        if isinstance(way, EditUndo):
            self._reload()

    def _chosen(self, wanted: Undo) -> tuple[list[journal.Entry], journal.Entry | None]:
        """Those to go past, and the one to take back. Raises Refused."""
        standing = journal.standing(self._database.connection, journal.KEPT_UNDO)
        self._check_seen(wanted, standing)
        passed: list[journal.Entry] = []
        for entry in standing:
            why = why_not(self._database.connection, self._home, entry)
            if not why:
                return passed, entry
            if not wanted.skip:
                raise Refused(f"{entry.said} cannot be taken back: {why}", "go past it with: qd undo --skip")
            passed.append(entry)
        return passed, None

    def _check_seen(self, wanted: Undo, standing: list[journal.Entry]) -> None:
        """Two consoles may have the same key pressed: it acts once."""
        seen = None if wanted.entry_id is None else journal.get(self._database.connection, wanted.entry_id)
        if seen is not None and seen.undone_ms is not None:
            raise Refused(f"{seen.said} has been taken back already")
        if not standing:
            raise Refused("there is nothing to undo")
        if wanted.entry_id not in (None, standing[0].id):
            raise Refused(f"{standing[0].said} came after what you would undo", "look again: qd undo list")


def _way_of(entry: journal.Entry) -> Way:
    return _WAYS.decode(entry.undo or "")


def _take_back(tx: Connection, entry: journal.Entry, way: Way, now_ms: int) -> None:
    """What there is of it in the state; an edit of the configuration is taken back already."""
    text = f"{entry.said} undone"
    if isinstance(way, ResetUndo):
        sessions.undo_generation(tx, way.generation_id, way.back_to, now_ms)
        number = sessions.generation(tx, way.back_to).number
        text = f"{entry.subject}: reset undone, generation {number} goes on"
    elif isinstance(way, AllowUndo) and way.before is not None:
        skills.pin(tx, way.before)
    elif isinstance(way, AllowUndo):
        skills.unpin(tx, way.name, way.path)
    journal.mark_undone(tx, entry.id, now_ms)
    about = way.session_id if isinstance(way, ResetUndo) else None
    events.add(tx, now_ms, "undo", text, session_id=about)
