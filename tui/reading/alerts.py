"""When does the console call? Once for each thing that comes to need the operator, never for what was there before.

Pure: it is told what the feed found, in its order, and says what is new. How a call sounds is `tui.terminal.calls`.
"""

from collections.abc import Callable, Hashable

from msgspec import Struct

from engine.config.console import AlertKind
from state import fallbacks
from state.runs import Run
from tui import messages
from tui.reading import changes

_FAILED = frozenset({"failed", "crashed", "timed_out", "silent", "could_not_start", "interrupted"})


class Call(Struct, frozen=True):
    """One thing that needs the operator."""

    kind: AlertKind
    text: str
    """In a few words, as it may stand in a title."""


class Watch:
    """What is known already. What the first telling of a kind holds was there before the console."""

    def __init__(self) -> None:
        self._known: dict[str, set[Hashable]] = {}
        self._again: set[int] = set()
        """Runs that are done again with another model: what they came to is not the end of it."""
        self._questions = self._held = 0

    @property
    def needs(self) -> int:
        """How many things wait for the operator's word now."""
        return self._questions + self._held

    def take(self, change: object) -> tuple[Call, ...]:
        """What is new in it."""
        match change:
            case changes.InboxChanged(rows):
                self._questions = len(rows)
                return self._new("question", "needs_me", {row.id: f"run {row.run_id} asks you" for row in rows})
            case changes.SkillsChanged(board):
                self._held = len(board.held)
                said: dict[Hashable, str] = dict.fromkeys(board.held, "a skill waits for your word")
                return self._new("skill", "needs_me", said, forget=True)
            case changes.EventsChanged(rows):
                self._again |= {row.run_id for row in rows if row.kind == fallbacks.KIND and row.run_id is not None}
                return ()
            case changes.RunsChanged(rows):
                return self._runs(rows)
            case changes.BudgetsChanged(board):
                full: dict[Hashable, str] = {
                    (row.name, row.unit, row.window_start_ms): f"budget {row.name} is spent"
                    for row in board.rows
                    if row.spent >= row.most and row.window != "run"
                }
                return self._new("budget", "budget", full)
            case messages.EngineGone():
                return (Call("engine", "the engine died"),)
            case _:
                return ()

    def _runs(self, rows: tuple[Run, ...]) -> tuple[Call, ...]:
        """Of runs that failed: a job's, or the operator's own. What a run asked for is that run's to see to."""
        jobs = self._failed(rows, lambda run: run.job is not None, "job {run.job} failed: run {run.id}")
        own = self._failed(rows, lambda run: run.job is None and run.parent_run_id is None, "run {run.id} failed")
        return self._new("job", "job_failed", jobs) + self._new("run", "run_failed", own)

    def _failed(self, rows: tuple[Run, ...], whose: Callable[[Run], bool], words: str) -> dict[Hashable, str]:
        failed = (run for run in rows if run.outcome in _FAILED and run.id not in self._again)
        return {run.id: words.format(run=run) for run in failed if whose(run)}

    def _new(self, what: str, kind: AlertKind, said: dict[Hashable, str], *, forget: bool = False) -> tuple[Call, ...]:
        """Those that have not been told before; with `forget`, one that went and came back is new again."""
        known = self._known.get(what)
        self._known[what] = set(said) if known is None or forget else known | said.keys()
        if known is None:
            return ()
        return tuple(Call(kind, text) for key, text in said.items() if key not in known)
