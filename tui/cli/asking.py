"""How is a run asked for from the command line, and its end waited for?"""

import argparse
import os
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack

from engine.contract.orders import RunRequest, Trigger
from engine.runtime.client import Attachment, Client
from state import approvals, runs
from state.database import Connection, open_reader
from state.errors import Refused, UsageError
from state.home import Home
from tui.cli.amounts import LAST_NUMBER, dollars, duration, parameter, some_tokens
from tui.cli.run_text import run_words, waiting_words
from tui.cli.run_view import kept_in_folder, run_view
from tui.cli.verb import Context, Output, listed

PARENT = "QUARTERDECK_RUN"
"""In the environment of every run: what a run asks for is its child."""
_STEP_S = 0.03
_MOST_DIGITS = len(str(LAST_NUMBER))
_SHOWN = 30


def request_arguments(parser: argparse.ArgumentParser) -> None:
    """What every way to ask for a run takes."""
    parser.add_argument("--agent", help="who does it; digest and command are built in (the template's, else digest)")
    parser.add_argument("--template", help="a declared template: what it says holds where you say nothing")
    parser.add_argument(
        "--param", action="append", type=parameter, metavar="NAME=VALUE", help="fills in the template; repeat it"
    )
    parser.add_argument("--task", default="", help="what to do, in words")
    parser.add_argument("--task-type", help="what kind of work it is, as qd task-types lists them")
    parser.add_argument("--model", help="which model, as the agent calls it")
    parser.add_argument("--tools", action="append", metavar="TOOLS", help="the only tools that it may use")
    parser.add_argument("--skills", metavar="SET", help="the skill set that it is allowed; none is the empty one")
    parser.add_argument("--workspace", help="the folder to work in (this one)")
    parser.add_argument(
        "--inject", "--inject-only", action="append", metavar="FILES", help="the only files in its prompt"
    )
    parser.add_argument("--can-read", action="append", metavar="PATHS", help="injected files must lie within these")
    parser.add_argument("--can-write", action="append", metavar="PATHS", help="what it may write")
    parser.add_argument("--timeout", type=duration, help="how long it may take, like 60s or 10m")
    _limit_arguments(parser)
    parser.add_argument("--wait", action="store_true", help="wait for a claim or a free place, be not refused for it")
    parser.add_argument("--detach", action="store_true", help="do not wait for the end")
    parser.add_argument("argv", nargs="*", metavar="-- PROGRAM ARGUMENTS", help="for the command agent")


def _limit_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-injected", type=some_tokens, metavar="N", help="tokens that its prompt may have, like 2k"
    )
    parser.add_argument("--max-tokens", type=some_tokens, metavar="N", help="tokens that it may be expected to use")
    parser.add_argument("--max-usd", type=dollars, metavar="X", help="dollars that it may be expected to cost")


def request_of(context: Context, trigger: Trigger, session_id: int | None = None) -> RunRequest:
    """What these options ask for. What they leave out is for the gate to route."""
    options = context.options
    return RunRequest(
        workspace=context.workspace(),
        agent=options.agent,
        template=options.template,
        params=dict(options.param or ()),
        task_type=options.task_type,
        model=options.model,
        task=options.task,
        inject=listed(options.inject) if options.inject else None,
        tools=listed(options.tools) if options.tools else None,
        skills=options.skills,
        can_read=listed(options.can_read),
        can_write=listed(options.can_write),
        timeout_s=options.timeout,
        injected_tokens=options.max_injected,
        run_tokens=options.max_tokens,
        run_usd=options.max_usd,
        argv=tuple(options.argv),
        trigger=trigger,
        session_id=session_id,
        parent_run_id=parent_of(os.environ),
        wait=options.wait,
    )


def parent_of(environ: Mapping[str, str]) -> int | None:
    """The run that we were started by. Raises UsageError when that cannot be told."""
    told = environ.get(PARENT, "")
    if not told:
        return None
    digits = told.isascii() and told.isdigit() and len(told) <= _MOST_DIGITS
    if not digits or not 1 <= int(told) <= LAST_NUMBER:
        raise UsageError(f"qd: {PARENT} is {told[:_SHOWN]!a}, which is no run", f"unset {PARENT}")
    return int(told)


def needs_operator(environ: Mapping[str, str]) -> None:
    """Raises Refused for a run: what is asked of the operator is not for it to answer."""
    if environ.get(PARENT):
        raise Refused("an agent does not answer its own questions", "answer from your own shell")


def output_of_run(context: Context, run_id: int) -> Output:
    """Wait for a run unless told not to, then show it."""
    connection = open_reader(context.home)
    assert connection is not None, "the engine has just answered from it"
    run = runs.get(connection, run_id) if context.options.detach else wait(context.home, connection, run_id)
    view = run_view(connection, run) | kept_in_folder(context.home, run_id)
    ok = run.outcome == "succeeded" or (run.open and context.options.detach)
    return Output(view, run_words(view), ok)


def wait(home: Home, connection: Connection, run_id: int) -> runs.Run:
    """The run once it has ended. While it cannot start yet, says once what it waits for.

    Raises EngineUnavailable when the engine is gone and none can be started: the run itself goes on.
    """
    client = Client(home)
    said: str | None = None
    with ExitStack() as attached:
        while (run := runs.get(connection, run_id)).open:
            if client.holder() is None:
                client.ensure()
            if run.waits_for is not None and run.waits_for != said:
                if said is None:  # nothing else would keep an engine that only waits for the operator's word
                    attached.enter_context(Attachment(home))
                said = run.waits_for
                print(f"qd: {_waits(connection, run)}", file=sys.stderr, flush=True)
            time.sleep(_STEP_S)
    return run


def _waits(connection: Connection, run: runs.Run) -> str:
    from tui.clean import clean

    asked = approvals.of_run(connection, run.id)
    return clean(waiting_words(run.id, run.waits_for or "", asked.id if asked else None, run.why or ""))
