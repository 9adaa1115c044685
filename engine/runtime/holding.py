"""Whose program is kept after its answer, and does the next run become a turn in it?

A turn is a run like any other: admitted, settled and stopped alone. Only its program is there already, under the keeper
that the first run of the conversation was given, which enforces the deadline of each turn, and ends it when it has
waited for too long.
"""

import asyncio
import hashlib
import shutil
from pathlib import Path

import msgspec

from engine.adapters.command import as_text
from engine.adapters.registry import adapter
from engine.config.model import Agent, Config
from engine.contract.clock import Clock
from engine.contract.launch import AdapterRequest, AdapterResult, Prompt
from engine.contract.outcome import EndRecord
from engine.contract.route import Route
from engine.execution import snapshot
from engine.execution.follow import is_alive, read_alive
from engine.execution.speak import end_turn, say, start_turn
from engine.runtime.ending import end_of
from engine.runtime.listening import let_go
from engine.runtime.places import point_to, spoken_to
from engine.runtime.sandboxing import TMP
from engine.runtime.settings import Settings
from engine.runtime.starting import BEFORE, ours
from engine.runtime.trouble import Trouble
from state import clients, runs
from state.database import Database
from state.errors import NotWritten, Refused, StateError
from state.home import Home

MOST_IDLE = 4
"""Programs that may wait for a turn: each is some hundred megabytes. The oldest is let go first."""
RETRY_S = 1.0
NOTHING_NEW = "Go on."
"""Where there is nothing to say."""


def spec_of(request: AdapterRequest, route: Route, agent: Agent | None) -> str:
    """All by which a program is started, but for what it is told and the conversation that it is in."""
    same = msgspec.structs.replace(
        request, prompt=Prompt(()), provider_id=None, resume=False, run_folder="", before=None, fork_of=None
    )
    seen = None if agent is None else (agent.env, agent.secrets, agent.key, agent.home)
    return hashlib.sha256(msgspec.json.encode((same, route.sandbox, route.silence_s, seen))).hexdigest()


class Holding:
    """Every program that is held, idle or in a turn."""

    def __init__(self, home: Home, database: Database, settings: Settings, clock: Clock, trouble: Trouble) -> None:
        self._home = home
        self._database = database
        self._settings = settings
        self._clock = clock
        self._trouble = trouble
        self._endings: dict[int, asyncio.Task[EndRecord]] = {}
        self._watches: dict[int, asyncio.Task[None]] = {}

    def adopt(self) -> None:
        """Take up what an engine before us held."""
        for client in clients.live(self._database.connection):
            self.ending(client.id)

    def begin(self, run: runs.Run, request: AdapterRequest) -> None:
        """This run's program has just been started; it will be kept where its route says so. Raises NotWritten."""
        route = _route(run)
        if not request.held or route is None or run.generation_id is None:
            return
        spec = spec_of(request, route, self._agent(run))
        with self._database.transaction() as tx:
            clients.begin(tx, run.id, run.generation_id, spec, self._clock.now_ms())
        self.ending(run.id)

    def client_of(self, run: runs.Run) -> clients.Client | None:
        """The program in which it is a turn, or which it has started to be kept; None: it has one just for itself."""
        return clients.get(self._database.connection, run.client_id or run.id)

    def ending(self, client_id: int) -> asyncio.Task[EndRecord]:
        """Done when all of this program is gone."""
        if client_id not in self._endings:
            task = asyncio.create_task(end_of(self._home.run_folder(client_id), self._clock))
            self._endings[client_id] = task
            watch = asyncio.create_task(self._watch(client_id, task))
            self._watches[client_id] = watch
            watch.add_done_callback(lambda _: self._watches.pop(client_id, None))
        return self._endings[client_id]

    async def cleared(self, client_id: int) -> None:
        """Return when its program is gone, and nobody clears up its folder any more: then another may be put there."""
        watch = self._watches.get(client_id)
        if watch is not None:
            await asyncio.wait({watch})

    async def _watch(self, client_id: int, ending: asyncio.Task[EndRecord]) -> None:
        await asyncio.wait({ending})
        while not ending.cancelled():
            try:
                with self._database.transaction() as tx:
                    clients.end(tx, client_id, self._clock.now_ms())
                break
            except NotWritten as error:
                self._trouble.note(f"the program of run {client_id}", error)
            await asyncio.sleep(RETRY_S)
        self._endings.pop(client_id, None)
        if ending.done() and not ending.cancelled():
            await asyncio.to_thread(shutil.rmtree, self._home.run_folder(client_id) / TMP, ignore_errors=True)

    async def take(self, run: runs.Run, request: AdapterRequest) -> bool:
        """Make the run the next turn of the program that is in its conversation. False: it needs one of its own, and
        nobody else is in that conversation any more. Raises NotWritten or OSError."""
        if run.generation_id is None:
            return False
        fit = self._fitting(run, request)
        await self.leave(run.generation_id, but=fit)
        if fit is None:
            return False
        try:
            await self._say(run, request, fit)
        except (Refused, StateError):  # it has just gone, or takes nothing more
            with self._database.transaction() as tx:
                runs.update(tx, run.id, {"client_id": None})
            await self.leave(run.generation_id)
            return False
        return True

    def _fitting(self, run: runs.Run, request: AdapterRequest) -> clients.Client | None:
        route = _route(run)
        if not request.held or not request.resume or route is None or run.generation_id is None:
            return None
        spec = spec_of(request, route, self._agent(run))
        found = [one for one in self._idle(run.generation_id) if one.spec == spec and self._lives(one)]
        return found[-1] if found else None

    async def _say(self, run: runs.Run, request: AdapterRequest, client: clients.Client) -> None:
        """The mark that this is its turn is written before it is told: after a crash it is known to be in doubt."""
        speech, folder = adapter(run.adapter).speech, self._home.run_folder(client.id)
        assert speech is not None, "only what can be spoken to is held"
        await asyncio.to_thread(self._prepare, run, folder, client.offset)
        held = runs.get(self._database.connection, client.id)
        with self._database.transaction() as tx:
            runs.update(tx, run.id, {"client_id": client.id, "sandbox": held.sandbox})
        start_turn(folder, run.timeout_s or self._settings.config.timeout_max_s)
        await asyncio.to_thread(say, folder, speech.message(_message(request)))

    def _prepare(self, run: runs.Run, client: Path, offset: int) -> None:
        """Its own folder, with how the workspace stood before it."""
        folder = self._home.run_folder(run.id)
        folder.mkdir(mode=0o700, exist_ok=True)
        snapshot.store(snapshot.take(Path(run.workspace), leave_out=ours(self._home)), folder / BEFORE)
        point_to(folder, client, offset)

    def answered(self, run: runs.Run, result: AdapterResult, offset: int) -> None:
        """Keep its program for the next turn, unless it has failed. Raises NotWritten."""
        route, folder = _route(run), spoken_to(self._home, run)
        with self._database.transaction() as tx:
            clients.deal(tx, run.client_id or run.id, offset)
        if route is None or not (result.ok or run.stop_reason is not None):
            let_go(folder)
            return
        for oldest in self._idle()[: -(MOST_IDLE - 1)]:
            let_go(self._home.run_folder(oldest.id))
        end_turn(folder, route.linger_s)

    async def leave(self, generation_id: int, but: clients.Client | None = None) -> None:
        """Nobody but this one stays in the conversation: two at once would lose a turn."""
        others = [one for one in self._idle(generation_id) if but is None or one.id != but.id]
        for one in others:
            let_go(self._home.run_folder(one.id))
        for one in others:
            await asyncio.wait({self.ending(one.id)})

    def let_go_idle(self, generation_id: int | None = None) -> None:
        """Of all that wait for a turn, or of those in this conversation."""
        for client in self._idle(generation_id):
            let_go(self._home.run_folder(client.id))

    async def close(self) -> None:
        """Let them be; the next engine takes them up, and their keepers end what nobody needs."""
        tasks = [*self._endings.values(), *self._watches.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _idle(self, generation_id: int | None = None) -> list[clients.Client]:
        connection = self._database.connection
        busy = {run.client_id or run.id for run in runs.live(connection)}
        found = clients.live(connection) if generation_id is None else clients.of_generation(connection, generation_id)
        return [client for client in found if client.id not in busy]

    def _lives(self, client: clients.Client) -> bool:
        alive = read_alive(self._home.run_folder(client.id))
        return alive is not None and is_alive(alive)

    def _agent(self, run: runs.Run) -> Agent | None:
        config: Config = self._settings.config
        return config.agents.get(run.agent)


def _route(run: runs.Run) -> Route | None:
    return msgspec.json.decode(run.route, type=Route) if run.route is not None else None


def _message(request: AdapterRequest) -> str:
    """What a program that has just resumed would be told. A slash at its start would name a skill of the program."""
    text = as_text(request.prompt) or NOTHING_NEW
    has_skills = request.keep is None or "skills" in request.keep
    return text if has_skills or not text.startswith("/") else f"\n{text}"
