"""The engine: one process that alone writes the state. Wires the rooms together and ends when nobody needs it."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable

import msgspec

from engine import __version__
from engine.context.skills import discover, skill_folders
from engine.contract.clock import Clock, SystemClock
from engine.contract.orders import Preview, PreviewAnswer
from engine.runtime.boot import NOTICE, starts_after_boot
from engine.runtime.budget_watch import BudgetWatch
from engine.runtime.fallback import Fallback
from engine.runtime.gate import Gate
from engine.runtime.holding import Holding
from engine.runtime.lease import Lease, consoles_attached
from engine.runtime.listening import Listening
from engine.runtime.live_runs import LiveRuns
from engine.runtime.logs import RESTART_S, LogFollower
from engine.runtime.orders import Orders
from engine.runtime.permissions import Permissions
from engine.runtime.pricing import PriceBook
from engine.runtime.scheduler import Scheduler
from engine.runtime.settings import Settings
from engine.runtime.trouble import Trouble, passes
from engine.runtime.waiting import WaitingRoom
from engine.telemetry.collector import let_rows_pass
from state import ballast, claims, events, sessions, skills, spool
from state.database import Database, open_writer
from state.errors import LeaseLost, NotWritten, QuarterdeckError
from state.files import write_private
from state.home import Home, prepare

BEAT_S = 1.0
"""How often the engine looks for what no bell announces: edits of the configuration, consoles that died, lost rings."""
SKILLS_EVERY_S = 10.0
ANSWERS_KEPT_MS = 24 * 3_600_000
CONFIG_NOTICE = "config"


class Engine:
    """Everything that lives as long as the engine does."""

    def __init__(self, home: Home, database: Database, clock: Clock, *, stay: bool) -> None:
        self._home = home
        self._database = database
        self._clock = clock
        self._stay = stay
        self._settings = Settings(home)
        self._gate = Gate(home, database, self._settings, clock)
        self._trouble = Trouble(home, database, clock)
        self._permissions = Permissions(home, database, clock)
        self._listening = Listening(home, database, self._settings, clock, self._trouble, self._permissions)
        self._holding = Holding(home, database, self._settings, clock, self._trouble)
        self._live = LiveRuns(home, database, self._settings, clock, self._trouble, self._listening, self._holding)
        self._waiting = WaitingRoom(database, self._settings, self._gate, self._live, clock)
        self._fallback = Fallback(database, self._gate, self._live, clock)
        self._budgets = BudgetWatch(database, self._settings, clock)
        self._scheduler = Scheduler(database, self._settings, self._gate, self._live, clock)
        self._prices = PriceBook(database, clock, self._settings.config.prices, os.environ)
        self._logs = LogFollower(database, clock, os.environ, self._prices)
        self._orders = Orders(
            home,
            database,
            self._gate,
            self._live,
            self._waiting,
            self._permissions,
            self._holding,
            self._scheduler,
            self._logs,
            clock,
            self._trouble,
            self._settings,
            reload=self._look_at_config,
            leave=self._leave,
        )
        self._rung = asyncio.Event()
        self._rung_inside = asyncio.Event()
        self._over = asyncio.Event()
        self._why_over = ""
        self._config_is_new = False
        self._up = False
        self._skills_due = 0.0
        self._needed = clock.monotonic()
        self._answered: dict[str, str] = {}

    async def run(self, lease: Lease) -> None:
        """Until it is told to end or nobody needs it. Runs that are live go on under their keepers."""
        bell = self._hang_bell()
        ballast.take(self._home)
        with contextlib.suppress(NotWritten):  # the beat looks again
            self._look_at_config()
        self._holding.adopt()
        adopted = self._live.adopt()
        self._live.go_on()
        self._say("engine", f"engine {__version__} up, pid {os.getpid()}, {adopted} runs adopted")
        lease.ready()
        self._up = True
        work = (
            self._lasting("orders", self._serve),
            self._lasting("orders of runs", self._serve_runs),
            self._lasting("beat", self._beat),
            self._lasting("meter", self._live.meter),
            self._lasting("listening", self._listening.run),
            self._lasting("permissions", self._permissions.run),
            self._lasting("scheduler", self._scheduler.run),
            self._lasting("logs", self._logs.run, RESTART_S),
            self._until_over(),
        )
        workers = [asyncio.create_task(part) for part in work]
        try:
            await asyncio.wait(workers, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._wind_up(workers, bell)

    async def _wind_up(self, workers: list[asyncio.Task[None]], bell: int) -> None:
        asyncio.get_running_loop().remove_reader(bell)
        os.close(bell)
        for worker in workers:
            worker.cancel()
        results = await asyncio.gather(*workers, return_exceptions=True)
        await self._orders.close()
        await self._live.close()
        if self._why_over == "idle":  # nobody is there who could take the next turn
            self._holding.let_go_idle()
        await self._holding.close()
        for result in results:
            if isinstance(result, Exception):
                raise result
        self._say("engine", f"engine down: {self._why_over}, {self._live.count} runs go on")

    async def _lasting(self, name: str, work: Callable[[], Awaitable[None]], pause_s: float = BEAT_S) -> None:
        """A worker that a full disk ends begins again: what it had not written it does again."""
        while True:
            try:
                await work()
                return
            except (NotWritten, OSError) as error:
                if not passes(error):
                    raise
                self._trouble.note(name, error)
            await asyncio.sleep(pause_s)

    async def _until_over(self) -> None:
        await self._over.wait()

    def _hang_bell(self) -> int:
        """Consoles ring by writing a byte; we hold both ends, so that it never reads as ended."""
        self._home.bell.unlink(missing_ok=True)
        os.mkfifo(self._home.bell, 0o600)
        bell = os.open(self._home.bell, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        asyncio.get_running_loop().add_reader(bell, self._ring, bell)
        return bell

    def _ring(self, bell: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(bell, 65536)
        self._wake()

    def _wake(self) -> None:
        self._rung.set()
        self._rung_inside.set()

    async def _serve(self) -> None:
        """Orders and previews, whenever the bell rings."""
        while True:
            self._rung.clear()
            self._look_at_config()  # an order is carried out by what is written when it arrives
            await self._orders.take()
            await self._answer_previews()
            await self._rung.wait()

    async def _serve_runs(self) -> None:
        """What runs order, likewise: nobody else waits for it."""
        while True:
            self._rung_inside.clear()
            self._look_at_config()
            await self._orders.take_of_runs()
            await self._rung_inside.wait()

    async def _beat(self) -> None:
        while True:
            self._wake()
            self._trouble.look()
            self._look_at_config()
            if self._clock.monotonic() >= self._skills_due:
                await self._look_at_skills()
                await self._look_after()
            await self._waiting.look()
            await self._fallback.look()
            self._budgets.look()
            if self._idle():
                self._leave("idle")
            await asyncio.sleep(BEAT_S)

    def _idle(self) -> bool:
        """Nobody has needed the engine for a while: no console, no run, no job, no order in hand, no scan."""
        config = self._settings.config
        scheduled = any(job.enabled for job in config.job.values())
        busy = self._live.count or self._orders.waiting or self._waiting.needs_engine or self._logs.scanning
        if self._stay or scheduled or busy or consoles_attached(self._home):
            self._needed = self._clock.monotonic()
        return self._clock.monotonic() - self._needed >= config.idle_exit_s

    def _leave(self, why: str) -> None:
        self._why_over = why
        self._over.set()

    def _look_at_config(self) -> None:
        self._config_is_new |= self._settings.poll()
        if not self._config_is_new:
            return
        problem = self._settings.problem
        self._prices.declare(self._settings.config.prices)
        self._logs.look_in(self._settings.config.homes)
        with self._database.transaction() as tx:
            if problem is None:
                events.drop_notice(tx, CONFIG_NOTICE)
                events.add(tx, self._clock.now_ms(), "config", "configuration loaded")
            else:
                short = problem.line.replace(str(self._home.config_file), self._home.config_file.name)
                text = f"{short} (the one before stays in force)"
                events.raise_notice(tx, events.Notice(CONFIG_NOTICE, "error", text, self._clock.now_ms()))
                events.add(tx, self._clock.now_ms(), "config", text)
        if self._up:  # what they were started with may not hold any more
            self._holding.let_go_idle()
        self._config_is_new = False
        self._skills_due = 0.0
        self._waiting.look_again()
        self._scheduler.wake()

    async def _look_at_skills(self) -> None:
        self._skills_due = self._clock.monotonic() + SKILLS_EVERY_S
        config = self._settings.config
        declared = [agent.workspace for agent in config.agents.values()] + [
            job.workspace for job in config.job.values()
        ]
        workspaces = [*filter(None, declared), *sessions.workspaces(self._database.connection)]
        folders = skill_folders(os.environ, list(dict.fromkeys(workspaces)), config.skills.folders)
        found = await asyncio.to_thread(discover, folders)
        if sorted(found, key=lambda skill: skill.path) != sorted(
            skills.found(self._database.connection), key=lambda skill: skill.path
        ):
            with self._database.transaction() as tx:
                skills.replace(tx, found)

    async def _look_after(self) -> None:
        """What need not be done at once: say what would not outlive a reboot, and forget what nobody asks for."""
        note = await asyncio.to_thread(starts_after_boot) if self._settings.config.job else None
        known = events.notice(self._database.connection, NOTICE)
        now_ms = self._clock.now_ms()
        with self._database.transaction() as tx:
            if note is None:
                events.drop_notice(tx, NOTICE)
            elif known is None:
                events.raise_notice(tx, events.Notice(NOTICE, "info", note, now_ms))
            spool.forget_before(tx, now_ms - ANSWERS_KEPT_MS)
            claims.trim(tx, now_ms - ANSWERS_KEPT_MS)
            events.trim(tx)
        await self._logs.reprice()

    async def _answer_previews(self) -> None:
        for question in self._home.previews.glob("*.question"):
            try:
                preview = msgspec.json.decode(question.read_bytes(), type=Preview)
            except (OSError, msgspec.DecodeError):
                continue
            if self._answered.get(question.stem) != preview.token:
                self._answered[question.stem] = preview.token
                await self._answer_preview(question.stem, preview)

    async def _answer_preview(self, console: str, preview: Preview) -> None:
        try:
            verdict, receipt = await self._gate.preview(preview.request)
        except QuarterdeckError as error:
            answer = PreviewAnswer(preview.token, "", "", error.line)
        else:
            answer = PreviewAnswer(
                preview.token, msgspec.json.encode(verdict).decode(), msgspec.json.encode(receipt).decode()
            )
        write_private(self._home.previews / f"{console}.reply", msgspec.json.encode(answer))

    def _say(self, kind: str, text: str) -> None:
        with contextlib.suppress(LeaseLost, NotWritten), self._database.transaction() as tx:
            events.add(tx, self._clock.now_ms(), kind, text)

    def leave_on(self, *signals: signal.Signals) -> None:
        """End in good order on these signals."""
        for number in signals:
            asyncio.get_running_loop().add_signal_handler(number, self._leave, number.name)


async def _main(home: Home, *, stay: bool) -> None:
    if sys.version_info < (3, 12):  # its default starts one thread per child
        watcher = asyncio.PidfdChildWatcher()
        asyncio.get_event_loop_policy().set_child_watcher(watcher)
        watcher.attach_loop(asyncio.get_running_loop())
    clock = SystemClock()
    prepare(home)
    lease = Lease(home, clock.now_ms())
    database = open_writer(home)
    try:
        database.take_lease(os.getpid(), __version__, clock.now_ms())
        engine = Engine(home, database, clock, stay=stay)
        engine.leave_on(signal.SIGTERM, signal.SIGINT)
        await engine.run(lease)
    finally:
        database.close()
        lease.release()


def run_engine(home: Home, *, stay: bool) -> None:
    """Be the engine until it is over. Raises EngineUnavailable when another one lives, StateError when it cannot."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    let_rows_pass()
    asyncio.run(_main(home, stay=stay))
