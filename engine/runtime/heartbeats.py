"""Are the keepers of live runs at work? One that is stopped enforces no deadline, and nobody else would say so."""

from engine.contract.clock import Clock
from engine.execution.follow import is_alive, last_heard_s, read_alive
from state import events, runs
from state.database import Database
from state.home import Home

SILENT_S = 15.0


class Heartbeats:
    """Raises a notice for a keeper that is not heard, and drops it when it is heard again."""

    def __init__(self, home: Home, database: Database, clock: Clock) -> None:
        self._home = home
        self._database = database
        self._clock = clock
        stale = (one.key for one in events.notices(database.connection) if one.key.startswith(_KEY))
        self._noted = {int(key.removeprefix(_KEY)) for key in stale}

    def look(self, live: list[runs.Run]) -> None:
        """Raises NotWritten."""
        for gone in self._noted - {run.id for run in live}:
            self._drop(gone)
        for run in live:
            self._look_at(run)

    def _look_at(self, run: runs.Run) -> None:
        folder = self._home.run_folder(run.client_id or run.id)
        since_s = last_heard_s(folder)
        silent = since_s is not None and since_s > SILENT_S
        if silent == (run.id in self._noted):
            return
        if not silent:
            self._drop(run.id)
            return
        alive = read_alive(folder)
        if alive is None or not is_alive(alive):  # its end is being dealt with
            return
        text = f"the keeper of run {run.id} has not been heard for {since_s:.0f} s: it may be stopped"
        now_ms = self._clock.now_ms()
        with self._database.transaction() as tx:
            notice = events.Notice(f"{_KEY}{run.id}", "error", f"{text} (kill -CONT {alive.pid})", now_ms)
            events.raise_notice(tx, notice)
            events.add(tx, now_ms, "unheard", text, run_id=run.id, session_id=run.session_id, job=run.job)
        self._noted.add(run.id)

    def _drop(self, run_id: int) -> None:
        with self._database.transaction() as tx:
            events.drop_notice(tx, f"{_KEY}{run_id}")
        self._noted.discard(run_id)


_KEY = "keeper:"
