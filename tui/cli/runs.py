"""`qd spawn`, `qd run ...`, `qd interrupt`: ask for a run, look at runs, end one."""

import argparse

import msgspec

from engine.contract.orders import Interrupt, StopRun, Trigger
from engine.runtime.client import Client
from engine.runtime.settings import load_strict
from state import runs
from state.database import Connection
from state.errors import EngineUnavailable, NotFound, UsageError
from tui.cli.amounts import number
from tui.cli.asking import request_arguments, request_of
from tui.cli.awaiting import awaited
from tui.cli.run_text import run_words
from tui.cli.run_view import kept_in_folder, run_view
from tui.cli.telling import Teller, follow
from tui.cli.verb import Context, Output, Verb, following


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    request_arguments(parser)
    parser.add_argument("--session", type=number, help="in this session instead of the agent's own")
    parser.add_argument("--fork", action="store_true", help="in a new session that begins as a copy of that one")


def _spawn(context: Context) -> Output:
    return _ask(context, "spawn")


def _run(context: Context) -> Output:
    options = context.options
    if options.fork and options.session is None:
        raise UsageError("qd run: --fork needs a session to copy", "name it: --session N")
    return _ask(context, "operator", options.session, fork=options.fork)


def _ask(context: Context, trigger: Trigger, session_id: int | None = None, *, fork: bool = False) -> Output:
    """Ask for a run and, unless told not to, wait for its end. Raises what the gate raised."""
    config = load_strict(context.home)  # a broken one is said here, before anything runs by an older one
    request = msgspec.structs.replace(request_of(context, config, trigger, session_id), fork=fork)
    client = Client(context.home)
    client.ensure()
    return awaited(context, msgspec.json.decode(client.order("run", request))["run"])


def reader_of(context: Context, run_id: int) -> Connection:
    """The state, in which this run is to be found."""
    connection = context.reader()
    if connection is None:
        raise NotFound(f"there is no run {run_id}", "see: qd run list")
    return connection


def _shown(context: Context, run_id: int, *, answered: bool) -> Output:
    """`answered`: what it said has been read already."""
    connection = reader_of(context, run_id)
    run = runs.get(connection, run_id)
    view = run_view(connection, run) | kept_in_folder(context.home, connection, run)
    text = run_words(view, following(context.home).note(context.now_ms), answered=answered)
    return Output(view, text, run.outcome == "succeeded")


def _run_id_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=number, help="a run's number")


def _show_arguments(parser: argparse.ArgumentParser) -> None:
    _run_id_argument(parser)
    parser.add_argument("--follow", action="store_true", help="print what it says as it comes, until it ends")


def _show(context: Context) -> Output:
    run_id = context.options.run
    answered = False
    if context.options.follow:
        teller = Teller(quiet=context.options.json)
        follow(context.home, reader_of(context, run_id), run_id, teller.tell)
        teller.end_line()
        answered = teller.said
    return msgspec.structs.replace(_shown(context, run_id, answered=answered), ok=True)


def _interrupt(context: Context) -> Output:
    client, run_id = Client(context.home), context.options.run
    if client.holder() is None:
        raise EngineUnavailable("no engine runs, so nothing can be live", "see: qd run list")
    client.order("interrupt", Interrupt(run_id))
    return Output({"run": run_id}, f"Run {run_id} is asked to leave its turn; where it cannot, it is ended.")


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
SHOW = Verb(_show_arguments, _show)
INTERRUPT = Verb(_run_id_argument, _interrupt)
STOP = Verb(_run_id_argument, _stop)
