"""Are the keepers of live runs at work? One that is stopped enforces no deadline, and nobody else would say so."""

from engine.contract.clock import Clock
from engine.execution.follow import find_alive, last_heard_s
from engine.runtime.trouble import Trouble
from state import events, runs
from state.database import Database
from state.errors import LeaseLost
from state.home import Home

SILENT_S = 15.0


class Heartbeats:
    """Raises a notice for a keeper that is not heard, and drops it when it is heard again."""

    def __init__(self, home: Home, database: Database, clock: Clock, trouble: Trouble) -> None:
        self._home = home
        self._database = database
        self._clock = clock
        self._trouble = trouble
        stale = (one.key for one in events.notices(database.connection) if one.key.startswith(_KEY))
        self._noted = {int(key.removeprefix(_KEY)) for key in stale}

    def look(self, live: list[runs.Run]) -> None:
        """What goes wrong with one run is said, and the others are looked at. Raises NotWritten."""
        for gone in self._noted - {run.id for run in live}:
            self._drop(gone)
        for run in live:
            try:
                self._look_at(run)
            except LeaseLost:
                raise
            except Exception as error:  # the boundary: one run must not keep us from the others
                self._trouble.note(f"the keeper of run {run.id}", error)

    def _look_at(self, run: runs.Run) -> None:
        folder = self._home.run_folder(run.client_id or run.id)
        since_s = last_heard_s(folder)
        silent = since_s is not None and since_s > SILENT_S
        if silent == (run.id in self._noted):
            return
        if not silent:
            self._drop(run.id)
            return
        alive = find_alive(folder)
        if alive is None:  # its end is being dealt with
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
