"""`qd spawn`, `qd run ...`: ask for a run, look at runs, end one."""

import argparse
import sys
import time

import msgspec

from engine.contract.orders import RunRequest, StopRun
from engine.runtime.client import Client
from engine.runtime.settings import load_strict
from state import runs
from state.database import open_reader
from state.errors import EngineUnavailable, NotFound
from tui.cli.amounts import how_many, number
from tui.cli.asking import output_of_run, request_arguments, request_of
from tui.cli.run_text import run_words
from tui.cli.run_view import kept_in_folder, run_view, violated
from tui.cli.verb import Context, Output, Verb, fitted, following, local, noted, page, table


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    request_arguments(parser)
    parser.add_argument("--session", type=number, help="in this session instead of the agent's own")


def _spawn(context: Context) -> Output:
    return _ask(context, request_of(context, "spawn"))


def _run(context: Context) -> Output:
    return _ask(context, request_of(context, "operator", context.options.session))


def _ask(context: Context, request: RunRequest) -> Output:
    """Ask for a run and, unless told not to, wait for its end. Raises what the gate raised."""
    load_strict(context.home)  # a broken configuration is said here, before anything runs by an older one
    client = Client(context.home)
    client.ensure()
    return awaited(context, msgspec.json.decode(client.order("run", request))["run"])


def awaited(context: Context, run_id: int) -> Output:
    """A run as it has ended, with the one that goes on with it. One that left its scope is not well."""
    try:
        output = output_of_run(context, run_id)
        if output.data["outcome"] == "budget_reached" and _successor_came(context, run_id):
            output = _shown(context, run_id)
    except KeyboardInterrupt:
        print(f"qd: {_goes_on(context, run_id)}", file=sys.stderr, flush=True)
        raise
    return msgspec.structs.replace(output, ok=output.ok and not violated(output.data))


_PATIENCE_S = 3.0
"""Whoever goes on is asked for right after the end of the run before; a refusal leaves none."""
_STEP_S = 0.03


def _successor_came(context: Context, run_id: int) -> bool:
    connection, until_s = open_reader(context.home), time.monotonic() + _PATIENCE_S
    assert connection is not None, "the engine has just answered from it"
    while (found := runs.resumption(connection, run_id)) is None and time.monotonic() < until_s:
        time.sleep(_STEP_S)
    return found is not None


def _goes_on(context: Context, run_id: int) -> str:
    """What nobody waits for here any more is not over."""
    connection = open_reader(context.home)
    run = runs.get(connection, run_id) if connection else None
    if run is None or not run.open:
        return f"run {run_id} has ended: qd run show {run_id}"
    waits, word = (" waiting", "withdraw") if run.state == "waiting" else ("", "end")
    return f"run {run_id} goes on{waits}; {word} it with: qd run stop {run_id}"


def _shown(context: Context, run_id: int) -> Output:
    connection = open_reader(context.home)
    if connection is None:
        raise NotFound(f"there is no run {run_id}", "see: qd run list")
    run = runs.get(connection, run_id)
    view = run_view(connection, run) | kept_in_folder(context.home, run.id)
    return Output(view, run_words(view, following(context.home).note(context.now_ms)), run.outcome == "succeeded")


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=how_many, default=30, help="how many at most (30)")


_SAID_CHARS = (200, 60, 40, 20, 8)
"""Of what a run said in the list, as many as fit."""


def _list(context: Context) -> Output:
    connection = context.reader()
    found = runs.latest(connection, context.options.limit) if connection else []
    seen = following(context.home)
    text = fitted((_list_table(found, most) for most in _SAID_CHARS), page().width) if found else "No runs yet."
    views = [run_view(connection, run) for run in found] if connection else []
    return Output({"runs": views} | seen.view, noted(text, seen.note(context.now_ms)))


def _list_table(found: list[runs.Run], most: int) -> str:
    from tui.clean import clean

    rows = [
        (
            run.id,
            f"waits: {run.waits_for}" if run.state == "waiting" else run.outcome or run.state,
            run.agent,
            run.trigger,
            local(run.requested_ms),
            clean(run.summary or run.why or "", most),
        )
        for run in found
    ]
    return table(("run", "outcome", "agent", "trigger", "asked for", "said"), rows, right=(0,))


def _run_id_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=number, help="a run's number")


def _show(context: Context) -> Output:
    return msgspec.structs.replace(_shown(context, context.options.run), ok=True)


def _stop(context: Context) -> Output:
    """A waiting run needs no engine to wait for a word, so one is started to withdraw it."""
    client, run_id = Client(context.home), context.options.run
    connection = context.reader()
    waits = connection is not None and runs.get(connection, run_id).state == "waiting"
    if waits:
        client.ensure()
    elif client.holder() is None:
        raise EngineUnavailable("no engine runs, so nothing can be live", "see: qd run list")
    client.order("stop", StopRun(run_id))
    said = f"Run {run_id} is withdrawn: it waits no longer." if waits else f"Run {run_id} is being ended."
    return Output({"run": run_id}, said)


SPAWN = Verb(request_arguments, _spawn)
RUN = Verb(_run_arguments, _run)
LIST = Verb(_list_arguments, _list)
SHOW = Verb(_run_id_argument, _show)
STOP = Verb(_run_id_argument, _stop)
