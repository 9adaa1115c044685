"""`qd spawn`, `qd run ...`: ask for a run, look at runs, end one."""

import argparse

from engine.contract.orders import StopRun
from engine.runtime.client import Client
from state import runs
from state.errors import EngineUnavailable, NotFound
from tui.cli.asking import ask, request_arguments, request_of
from tui.cli.run_text import run_words
from tui.cli.run_view import result_text, run_view
from tui.cli.verb import Context, Output, Verb, fitted, local, page, table


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    request_arguments(parser)
    parser.add_argument("--session", type=int, help="in this session instead of the agent's own")


def _spawn(context: Context) -> Output:
    return ask(context, request_of(context, "spawn"))


def _run(context: Context) -> Output:
    return ask(context, request_of(context, "operator", context.options.session))


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=int, default=30, help="how many at most (30)")


_SAID_CHARS = (200, 60, 40, 20, 8)
"""Of what a run said in the list, as many as fit."""


def _list(context: Context) -> Output:
    connection = context.reader()
    found = runs.latest(connection, context.options.limit) if connection else []
    text = fitted((_list_table(found, most) for most in _SAID_CHARS), page().width) if found else "No runs yet."
    return Output({"runs": [run_view(connection, run) for run in found] if connection else []}, text)


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
    parser.add_argument("run", type=int, help="a run's number")


def _show(context: Context) -> Output:
    connection = context.reader()
    if connection is None:
        raise NotFound(f"there is no run {context.options.run}", "see: qd run list")
    run = runs.get(connection, context.options.run)
    view = run_view(connection, run) | {"text": result_text(context.home, run.id)}
    return Output(view, run_words(view))


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
