"""What becomes of what a live run's program asks? It is answered by the run's own scope, or put to the operator.

What was decided is written first and told then: an engine that dies in between leaves no mark in the run's folder, and
the next one tells it again. To be told twice hurts no program: it knows which of its requests are open.
"""

import asyncio
import contextlib
from pathlib import Path
from typing import Literal

import msgspec

from engine.adapters.registry import adapter
from engine.contract.clock import Clock
from engine.contract.progress import Asks
from engine.contract.route import Permissions as Mode
from engine.contract.route import Route
from engine.execution.speak import pause_silence, say
from engine.runtime.facts import held_scope
from engine.runtime.places import spoken_to
from engine.runtime.questions import Permission, read_permission
from engine.runtime.redaction import redacted
from engine.scopes.conflict import HeldScope
from engine.scopes.scope import coverage
from state import approvals, claims, events, runs
from state.database import Connection, Database
from state.errors import Refused, StateError
from state.home import Home

DENIED = "denied by the operator"
NOT_ASKED = "this run may not ask: it is to stay within what it was given"
RETRY_S = 1.0
_DECIDED = ("approved", "denied")
NEVER_MS = 12 * 3_600_000
"""How long a question of a run without a deadline is open."""


def decide_asked(mode: Mode, inside: bool) -> Literal["allow", "deny", "ask"]:
    """What a run's own scope covers was decided at the gate."""
    return "allow" if inside else mode


class Permissions:
    """Every question of a live run, and the word on it."""

    def __init__(self, home: Home, database: Database, clock: Clock) -> None:
        self._home = home
        self._database = database
        self._clock = clock
        self._said: set[int] = set()
        """Decided in a transaction that may not have been written after all."""
        self._untold: set[int] = set()

    def take_up(self, run: runs.Run) -> None:
        """A run that an engine before this one started: what was decided and perhaps not told is told."""
        for asked in approvals.permissions(self._database.connection, run.id):
            if asked.state in _DECIDED and not self._mark(asked).exists():
                self._untold.add(asked.id)

    async def ask(self, run: runs.Run, asks: Asks) -> None:
        """Answer it, or put it to the operator, once. Raises NotWritten."""
        speech = adapter(run.adapter).speech
        if speech is None or approvals.asked_by(self._database.connection, run.id, asks.id) is not None:
            return
        inside, shown = await asyncio.to_thread(_look, self._writes(run), asks)
        word = decide_asked(_mode(run), inside)
        if word == "ask":
            self._put(run, asks, shown)
            return
        why = "" if word == "allow" else NOT_ASKED
        try:
            await asyncio.to_thread(say, spoken_to(self._home, run), speech.answer(asks.id, word == "allow", why))
        except Refused:  # it has ended, or does not listen any more
            return
        if word == "deny":
            self._say(run, "denied", f"{run.agent} may not ask, and was denied: {_short(asks.tool, shown)}")

    def answered(self, run: runs.Run, request_id: str) -> None:
        """Nobody need answer this any more. Raises NotWritten."""
        asked = approvals.asked_by(self._database.connection, run.id, request_id)
        if asked is None or asked.state != "open":
            return
        with self._database.transaction() as tx:
            approvals.withdraw_one(tx, asked.id, self._clock.now_ms())
            _drop_notice(tx, run.id)
        self.pause(run)

    def decide(self, tx: Connection, asked: approvals.Approval, approve: bool, now_ms: int) -> Permission:
        """The operator's word on an open question, which `tell` has to follow once it is committed. Raises Refused when
        it is not open."""
        run = runs.get(tx, asked.run_id)
        if not run.live:
            raise Refused(f"run {run.id} has ended ({run.outcome}): nobody waits for this any more")
        approvals.decide(tx, asked.id, approve, now_ms)
        _drop_notice(tx, run.id)
        told = read_permission(asked.what)
        word = "approved" if approve else "denied"
        text = f"run {run.id} {word}: {told.tool} {told.what}"[:200]
        events.add(tx, now_ms, word, text, run_id=run.id, session_id=run.session_id)
        self._said.add(asked.id)
        return told

    async def run(self) -> None:
        """Until cancelled: tell what could not be told before."""
        while True:
            await self.tell()
            await asyncio.sleep(RETRY_S)

    async def tell(self) -> None:
        """Tell the programs what was decided and not told yet. One that cannot be told now is told later."""
        self._take_said()
        for approval_id in sorted(self._untold):
            asked = approvals.get(self._database.connection, approval_id)
            run = runs.get(self._database.connection, asked.run_id)
            if not run.live or await self._told(run, asked):
                self._untold.discard(approval_id)

    def _take_said(self) -> None:
        """A decision that was not written after all is none."""
        connection = self._database.connection
        self._untold |= {one for one in self._said if approvals.get(connection, one).state in _DECIDED}
        self._said.clear()

    async def _told(self, run: runs.Run, asked: approvals.Approval) -> bool:
        speech = adapter(run.adapter).speech
        if speech is None or asked.request_id is None:
            return True
        approve = asked.state == "approved"
        answer = speech.answer(asked.request_id, approve, "" if approve else DENIED)
        try:
            await asyncio.to_thread(say, spoken_to(self._home, run), answer)
        except Refused:
            return True
        except StateError as error:
            self._say(run, "trouble", f"run {run.id}: {error}; it is tried again")
            return False
        await asyncio.to_thread(self._mark(asked).touch, 0o600)
        self._untold.discard(asked.id)
        self.pause(run)
        return True

    def pause(self, run: runs.Run) -> None:
        """Have its silence not count while it waits for the operator's word."""
        asked = approvals.permissions(self._database.connection, run.id)
        waits = any(one.state == "open" or one.id in self._untold for one in asked)
        with contextlib.suppress(OSError):  # its folder may be gone
            pause_silence(spoken_to(self._home, run), waits)

    def _mark(self, asked: approvals.Approval) -> Path:
        return self._home.run_folder(asked.run_id) / f"answered-{asked.id}"

    def _put(self, run: runs.Run, asks: Asks, shown: str) -> None:
        """`shown`: what it asks, fit to be kept."""
        now_ms = self._clock.now_ms()
        what = Permission(
            run_id=run.id,
            agent=run.agent,
            session_id=run.session_id,
            task=run.task,
            workspace=run.workspace,
            tool=asks.tool,
            what=shown,
            path=asks.path,
        )
        with self._database.transaction() as tx:
            text = msgspec.json.encode(what).decode()
            approvals.ask(tx, run.id, text, now_ms, _until_ms(run, now_ms), request_id=asks.id)
            text = f"{run.agent} asks: {_short(asks.tool, shown)}"
            events.add(tx, now_ms, "asks", text, run_id=run.id, session_id=run.session_id, job=run.job)
            events.raise_notice(tx, events.Notice(notice_key(run.id), "warning", f"run {run.id}, {text}", now_ms))
        self.pause(run)

    def _writes(self, run: runs.Run) -> list[HeldScope]:
        live = claims.live(self._database.connection)
        return [held_scope(claim) for claim in live if claim.run_id == run.id and claim.mode == "w"]

    def _say(self, run: runs.Run, kind: str, text: str) -> None:
        with self._database.transaction() as tx:
            events.add(tx, self._clock.now_ms(), kind, text, run_id=run.id, session_id=run.session_id)


def notice_key(run_id: int) -> str:
    """Of the notice that is there while a run waits for an answer."""
    return f"asks:{run_id}"


def withdraw_all(tx: Connection, run_id: int, now_ms: int) -> None:
    """A run that has ended asks nothing any more."""
    approvals.withdraw(tx, run_id, now_ms)
    events.drop_notice(tx, notice_key(run_id))


def _drop_notice(tx: Connection, run_id: int) -> None:
    """Unless another of its questions is open."""
    if not any(one.state == "open" for one in approvals.permissions(tx, run_id)):
        events.drop_notice(tx, notice_key(run_id))


def _look(writes: list[HeldScope], asks: Asks) -> tuple[bool, str]:
    """Whether its own scope covers what it asks, and what that is, fit to be kept. It may be long."""
    return _covers(writes, asks.path), redacted(asks.what)


def _covers(writes: list[HeldScope], path: str | None) -> bool:
    """Whether the run may write there by what was resolved when it claimed it. Reads the disk."""
    if path is None or not path.startswith("/"):
        return False
    return any(coverage(held.resolved)(path) for held in writes if held.resolved is not None)


def _mode(run: runs.Run) -> Mode:
    return msgspec.json.decode(run.route, type=Route).permissions if run.route else "deny"


def _until_ms(run: runs.Run, now_ms: int) -> int:
    if run.started_ms is None or run.timeout_s is None:
        return now_ms + NEVER_MS
    return max(now_ms, run.started_ms + round(run.timeout_s * 1000))


def _short(tool: str, what: str) -> str:
    return f"{tool} {what}".strip().partition("\n")[0][:200]
