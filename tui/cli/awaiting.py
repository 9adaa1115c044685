"""How is the end of a run waited for, and of those that do its work after it?"""

import sys
import time
from contextlib import ExitStack

import msgspec

from engine.runtime.client import Attachment, Client
from state import approvals, events, fallbacks, runs
from state.database import Connection, open_reader
from state.home import Home
from tui.cli.ended_text import ended_words
from tui.cli.run_text import waiting_words
from tui.cli.run_view import kept_in_folder, run_view, violated
from tui.cli.verb import Context, Output

_STEP_S = 0.03
_PATIENCE_S = 3.0
"""Whoever goes on is asked for right after the end of the run before; a refusal leaves none."""
_LOOKED_AT = 50
"""Events of a run, the last ones: that it goes to another model is among them."""


def awaited(context: Context, run_id: int) -> Output:
    """A run as it has ended, with the one that goes on with it; of one that fell back to other models, the last. One
    that left its scope is not well."""
    try:
        output = output_of_run(context, run_id)
        while (later := next_model(context.home, output.data["run"])) is not None:
            output = output_of_run(context, later)
        if output.data["outcome"] == "budget_reached" and _successor_came(context, output.data["run"]):
            output = output_of_run(context, output.data["run"])
    except KeyboardInterrupt:
        print(f"qd: {goes_on(context, run_id)}", file=sys.stderr, flush=True)
        raise
    return msgspec.structs.replace(output, ok=output.ok and not violated(output.data))


def output_of_run(context: Context, run_id: int) -> Output:
    """Wait for a run unless told not to, then show it."""
    connection = reader(context.home)
    run = runs.get(connection, run_id) if context.options.detach else wait(context.home, connection, run_id)
    view = run_view(connection, run) | kept_in_folder(context.home, connection, run)
    ok = run.outcome == "succeeded" or (run.open and context.options.detach)
    return Output(view, ended_words(view), ok)


def reader(home: Home) -> Connection:
    """The state that an engine has just answered from."""
    connection = open_reader(home)
    assert connection is not None, "the engine has just answered from it"
    return connection


def wait(home: Home, connection: Connection, run_id: int) -> runs.Run:
    """The run once it has ended. While it cannot start yet, says once what it waits for.

    Raises EngineUnavailable when the engine is gone and none can be started: the run itself goes on.
    """
    with Watch(home, connection) as watch:
        while (run := watch.look(run_id)).open:
            time.sleep(_STEP_S)
    return run


class Watch:
    """Looks at runs that are open, and sees to it that somebody works on them."""

    def __init__(self, home: Home, connection: Connection) -> None:
        self._home = home
        self._connection = connection
        self._client = Client(home)
        self._said: str | None = None
        self._attached = ExitStack()

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *_: object) -> None:
        self._attached.close()

    def look(self, run_id: int) -> runs.Run:
        """As it is now. Says what it waits for, once."""
        run = runs.get(self._connection, run_id)
        if run.open and self._client.holder() is None:
            self._client.ensure()
        if run.waits_for is not None and run.waits_for != self._said and run.open:
            if self._said is None:  # nothing else would keep an engine that only waits for the operator's word
                self._attached.enter_context(Attachment(self._home))
            self._said = run.waits_for
            print(f"qd: {_waits(self._connection, run)}", file=sys.stderr, flush=True)
        return run


def _waits(connection: Connection, run: runs.Run) -> str:
    from tui.clean import clean

    asked = approvals.of_run(connection, run.id)
    return clean(waiting_words(run.id, run.waits_for or "", asked.id if asked else None, run.why or ""))


def next_model(home: Home, run_id: int) -> int | None:
    """The run that does this one's work again with another model; None when none does."""
    connection = reader(home)
    if all(one.kind != fallbacks.KIND for one in events.latest(connection, _LOOKED_AT, run_id=run_id)):
        return None
    until_s = time.monotonic() + _PATIENCE_S
    while (found := fallbacks.successor(connection, run_id)) is None and time.monotonic() < until_s:
        time.sleep(_STEP_S)
    return found


def _successor_came(context: Context, run_id: int) -> bool:
    connection, until_s = reader(context.home), time.monotonic() + _PATIENCE_S
    if not _goes_on_by_itself(runs.get(connection, run_id)):
        return False
    while (found := runs.resumption(connection, run_id)) is None and time.monotonic() < until_s:
        time.sleep(_STEP_S)
    return found is not None


def _goes_on_by_itself(run: runs.Run) -> bool:
    """One that met a limit of its own does not: no budget can be raised for it."""
    return run.stop_reason is None or bool(msgspec.json.decode(run.stop_reason)["at"])


def goes_on(context: Context, run_id: int) -> str:
    """What nobody waits for here any more is not over."""
    connection = open_reader(context.home)
    run = runs.get(connection, run_id) if connection else None
    if run is None or not run.open:
        return f"run {run_id} has ended: qd run show {run_id}"
    waits, word = (" waiting", "withdraw") if run.state == "waiting" else ("", "end")
    return f"run {run_id} goes on{waits}; {word} it with: qd run stop {run_id}"
