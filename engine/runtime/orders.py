"""What does the engine do about each order? Once each, with its answer stored in the transaction of its effect."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from engine.contract.clock import Clock
from engine.contract.orders import AllowSkill, Attach, Decide, FireJob, Interrupt, ResetSession, RunRequest, StopRun
from engine.runtime.attaching import request_of
from engine.runtime.client import ErrorAnswer
from engine.runtime.conversation import next_generation
from engine.runtime.gate import Gate
from engine.runtime.holding import Holding
from engine.runtime.live_runs import LiveRuns
from engine.runtime.logs import LogFollower
from engine.runtime.own_orders import check_descendant, check_kind, spawned
from engine.runtime.own_refusals import OwnRefusals
from engine.runtime.permissions import Permissions
from engine.runtime.scheduler import Scheduler
from engine.runtime.settings import Settings
from engine.runtime.skill_pins import allow
from engine.runtime.trouble import Trouble, passes
from engine.runtime.undoing import AllowUndo, ResetUndo, Undoing, kept
from engine.runtime.waiting import WaitingRoom, as_shown
from state import events, journal, runs, sessions, skills, spool
from state.database import Connection, Database
from state.errors import LeaseLost, NotWritten, QuarterdeckError, Refused
from state.home import Home

_BEGINS = ("run", "fire", "attach")
"""What is refused while the disk is full; to stop, to reset and to decide stays possible."""
_SHOWN = 100
_BAD_TOLD = 20
"""Of one run, that is: files in its spool that are no orders; the rest goes unsaid."""


class Orders:
    """Takes orders out of the spool and carries them out, oldest first."""

    def __init__(
        self,
        home: Home,
        database: Database,
        gate: Gate,
        live: LiveRuns,
        waiting: WaitingRoom,
        permissions: Permissions,
        holding: Holding,
        scheduler: Scheduler,
        logs: LogFollower,
        clock: Clock,
        trouble: Trouble,
        settings: Settings,
        *,
        reload: Callable[[], None],
        leave: Callable[[str], None],
    ) -> None:
        self._home = home
        self._database = database
        self._gate = gate
        self._live = live
        self._room = waiting
        self._permissions = permissions
        self._holding = holding
        self._scheduler = scheduler
        self._logs = logs
        self._clock = clock
        self._trouble = trouble
        self._settings = settings
        self._reload = reload
        self._leave = leave
        self._in_hand: dict[str, asyncio.Task[None]] = {}
        self._under_way = 0
        self._bad_told: dict[int, set[str]] = {}
        self._refusals = OwnRefusals(database, clock)
        undoing = Undoing(home, database, clock, reload)
        live.on_end(self._drop_own)
        self._handlers: dict[str, Callable[[spool.Order], Awaitable[None]]] = {
            "run": self._run,
            "fire": self._fire,
            "attach": self._attach,
            "reset": self._reset,
            "undo": undoing.undo,
            "edited": undoing.note_edit,
            "stop": self._stop,
            "interrupt": self._interrupt,
            "decide": self._decide,
            "allow_skill": self._allow_skill,
            "reload": self._reload_now,
            "catch_up": self._catch_up,
            "handover": self._end_engine,
            "shutdown": self._end_engine,
        }

    @property
    def waiting(self) -> bool:
        """Whether an order is still being carried out."""
        return self._under_way > 0

    async def take(self) -> None:
        """Carry out everything that is in the spool now."""
        orders, bad = spool.pending(self._home)
        for file in bad:
            with self._database.transaction() as tx:
                events.add(tx, self._clock.now_ms(), "bad_order", f"{file.path} is no order: {file.why}")
        for order in orders:
            await self._begin(order)

    async def take_of_runs(self) -> None:
        """The same for what live runs have left in spools of their own; apart from the operator's orders, which are
        not to wait for these."""
        for run in runs.live(self._database.connection):
            orders, bad = spool.left_by_run(self._home, run.client_id or run.id)
            self._tell_bad(run.id, bad)
            for order in orders:
                await self._begin_own(order, run)

    async def _begin_own(self, order: spool.Order, asker: runs.Run) -> None:
        try:
            await self._begin(order, asker)
        except (LeaseLost, NotWritten):
            raise
        except Exception as error:  # the boundary: what a run asks for must not take the engine with it
            why = f"{type(error).__name__}: {str(error)[:_SHOWN]!a}"
            self._tell_bad(asker.id, [spool.BadOrder(order.id, why)])
            if not self._is_answered(order):
                self._refuse(
                    order, Refused(f"the order '{order.kind}' makes no sense: {why}", "ask for something else")
                )
                self._refusals.note(asker, order)

    async def _begin(self, order: spool.Order, asker: runs.Run | None = None) -> None:
        if order.id in self._in_hand:
            return
        if order.kind != "catch_up":
            await self._carry_out(order, asker)
        elif asker is None or not self._catches_up(asker):  # as long as the logs are long: others do not wait for it
            self._in_hand[order.id] = asyncio.create_task(self._carry_out(order, asker))

    def _catches_up(self, asker: runs.Run) -> bool:
        """For a run once at a time."""
        return any(held.endswith(f"-{asker.client_id or asker.id}") for held in self._in_hand)

    def _tell_bad(self, run_id: int, bad: list[spool.BadOrder]) -> None:
        """Each once, as far as it is told at all: a run can make any number of them."""
        told = self._bad_told.get(run_id, set())
        new = [file for file in bad if file.path not in told][: _BAD_TOLD - len(told)]
        if not new:
            return
        with self._database.transaction() as tx:
            for file in new:
                text = f"what run {run_id} left as {file.path} is no order: {file.why}"
                events.add(tx, self._clock.now_ms(), "bad_order", text, run_id=run_id)
        self._bad_told[run_id] = told | {file.path for file in new}

    async def _drop_own(self, run: runs.Run) -> None:
        self._bad_told.pop(run.id, None)
        self._refusals.drop(run.id)
        await asyncio.to_thread(spool.drop_own, self._home, run.client_id or run.id)

    async def close(self) -> None:
        for task in self._in_hand.values():
            task.cancel()
        await asyncio.gather(*self._in_hand.values(), return_exceptions=True)

    async def _carry_out(self, order: spool.Order, asker: runs.Run | None) -> None:
        self._under_way += 1
        try:
            if not self._is_answered(order):
                await self._answered(order, asker)
                if asker is not None:
                    self._refusals.note(asker, order)
            spool.remove(self._home, order.id, None if asker is None else asker.client_id or asker.id)
        except (NotWritten, OSError) as error:
            if not passes(error):
                raise
            self._trouble.note(f"the order '{order.kind}'", error)  # it stays in the spool
        finally:
            self._under_way -= 1
            self._in_hand.pop(order.id, None)

    def _is_answered(self, order: spool.Order) -> bool:
        return spool.answer_of(self._database.connection, order.id) is not None

    async def _answered(self, order: spool.Order, asker: runs.Run | None) -> None:
        try:
            if self._clock.now_ms() > order.expires_ms:
                raise Refused(f"the order '{order.kind}' has expired", "ask again")
            if asker is not None:
                self._refusals.check(asker)
                order = await self._as_own(order, asker.id)
            handler = self._handlers.get(order.kind)
            if order.kind in _BEGINS:
                self._trouble.check_room()
            if handler is None:
                raise Refused(f"this engine knows no order '{order.kind}'", "restart it with: qd engine stop")
            await handler(order)
        except (msgspec.DecodeError, RecursionError) as error:
            self._refuse(order, Refused(f"the order '{order.kind}' makes no sense: {error}", "upgrade both sides"))
        except QuarterdeckError as error:
            if passes(error):
                self._trouble.note(f"the order '{order.kind}'", error)
            if not self._is_answered(order):
                self._refuse(order, error)

    async def _as_own(self, order: spool.Order, run_id: int) -> spool.Order:
        """What a run has ordered, as it may be carried out. Raises Refused or NotFound."""
        check_kind(order.kind)
        asker = runs.get(self._database.connection, run_id)
        if order.kind == "run":
            request = msgspec.json.decode(order.body, type=RunRequest)
            own = await asyncio.to_thread(spawned, request, asker, self._settings.config)
            return msgspec.structs.replace(order, body=msgspec.Raw(msgspec.json.encode(own)))
        if order.kind in ("stop", "interrupt"):
            wanted = msgspec.json.decode(order.body, type=StopRun)
            check_descendant(self._database.connection, wanted.run_id, asker)
        return order

    def _refuse(self, order: spool.Order, error: QuarterdeckError) -> None:
        self._answer(order, ErrorAnswer(str(error), error.fix, type(error).__name__), ok=False)

    def _answer(self, order: spool.Order, answer: object, *, ok: bool = True) -> None:
        with self._database.transaction() as tx:
            spool.store_answer(tx, order, self._clock.now_ms(), ok, answer)

    async def _run(self, order: spool.Order) -> None:
        self._live.launch(await self._gate.ask(msgspec.json.decode(order.body, type=RunRequest), order))

    async def _fire(self, order: spool.Order) -> None:
        wanted = msgspec.json.decode(order.body, type=FireJob)
        self._live.launch(await self._gate.ask(await self._scheduler.fire(wanted.job, wanted.seen_run_id), order))

    async def _attach(self, order: spool.Order) -> None:
        wanted = msgspec.json.decode(order.body, type=Attach)
        request = request_of(self._database.connection, self._settings.config, wanted.session_id)
        self._live.launch(await self._gate.ask(request, order))

    async def _reset(self, order: spool.Order) -> None:
        wanted = msgspec.json.decode(order.body, type=ResetSession)
        now_ms = self._clock.now_ms()
        with self._database.transaction() as tx:
            session = sessions.get(tx, wanted.session_id)
            if session.agent is None or session.generation_id is None:
                raise Refused(f"session {session.id} is only observed", "reset it in the tool that runs it")
            if wanted.seen_generation_id not in (None, session.generation_id):
                raise Refused(f"session {session.id} has moved on meanwhile", "look at it again")
            for run in runs.live(tx):
                if run.session_id == session.id:
                    raise Refused(
                        f"run {run.id} is live in session {session.id}", f"stop it first: qd run stop {run.id}"
                    )
            if not runs.used(tx, session.generation_id):
                raise Refused(f"session {session.id} is fresh already", "its next run starts a new conversation")
            new = next_generation(tx, self._home, session.id, "operator_reset", wanted.note or None, now_ms)
            undo = ResetUndo(session.id, new.id, session.generation_id)
            subject = f"session {session.id}"
            journal.add(tx, now_ms, "reset", subject, kept(undo), order.made_by)
            text = f"session {session.id} reset  generation {new.number} starts at its next run"
            events.add(tx, now_ms, "reset", text + (f"  ({wanted.note})" if wanted.note else ""), session_id=session.id)
            spool.store_answer(tx, order, now_ms, True, {"session": session.id, "generation": new.number})
        self._holding.let_go_idle(session.generation_id)

    async def _stop(self, order: spool.Order) -> None:
        wanted = msgspec.json.decode(order.body, type=StopRun)
        await self._end_run(order, wanted.run_id, self._live.stop)

    async def _interrupt(self, order: spool.Order) -> None:
        wanted = msgspec.json.decode(order.body, type=Interrupt)
        await self._end_run(order, wanted.run_id, self._live.interrupt)

    async def _end_run(
        self, order: spool.Order, run_id: int, end: Callable[[int, Callable[[Connection], None]], Awaitable[None]]
    ) -> None:
        """One that waits has nothing to end."""
        run, now_ms = runs.get(self._database.connection, run_id), self._clock.now_ms()
        if run.state == "waiting":
            self._room.cancel(run)
            self._answer(order, {"run": run.id})
        else:
            await end(run.id, lambda tx: spool.store_answer(tx, order, now_ms, True, {"run": run.id}))

    async def _decide(self, order: spool.Order) -> None:
        wanted = msgspec.json.decode(order.body, type=Decide)
        now_ms = self._clock.now_ms()
        with self._database.transaction() as tx:
            asked = as_shown(tx, wanted)
            if asked.kind == "permission":
                self._permissions.decide(tx, asked, wanted.approve, now_ms)
            else:
                self._room.decide(tx, wanted, now_ms)
            spool.store_answer(tx, order, now_ms, True, {"run": asked.run_id, "approved": wanted.approve})
        if asked.kind == "permission":
            await self._permissions.tell()
        else:
            await self._room.look(first=asked.run_id)

    async def _allow_skill(self, order: spool.Order) -> None:
        wanted = msgspec.json.decode(order.body, type=AllowSkill)
        now_ms = self._clock.now_ms()
        pin = await asyncio.to_thread(allow, wanted, now_ms)
        with self._database.transaction() as tx:
            undo = AllowUndo(pin.name, pin.path, pin.sha256, skills.pin_of(tx, pin.name, pin.path))
            journal.add(tx, now_ms, "allow", f"skill {pin.name}", kept(undo), order.made_by)
            skills.pin(tx, pin)
            events.add(tx, now_ms, "skill", f"skill {pin.name} is allowed as it is now")
            spool.store_answer(tx, order, now_ms, True, {"skill": pin.name})

    async def _reload_now(self, order: spool.Order) -> None:
        self._reload()
        self._answer(order, {})

    async def _catch_up(self, order: spool.Order) -> None:
        await self._logs.catch_up()
        self._answer(order, {})

    async def _end_engine(self, order: spool.Order) -> None:
        self._answer(order, {})
        self._leave(order.kind)
