"""`qd say`: one more message in a session, and the answer as it comes.

What its program asks is put to whoever sits at the terminal. Ctrl-C has it leave its turn, once more ends it.
"""

import argparse
import contextlib
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

import msgspec

from engine.config.model import BUILT_IN, Config
from engine.contract.orders import Interrupt, RunRequest, StopRun
from engine.contract.route import Permissions
from engine.runtime.client import Client
from engine.runtime.settings import load_strict
from state import runs, sessions
from state.database import Connection
from state.errors import NotFound, QuarterdeckError, Refused, UsageError
from tui.cli.amounts import duration, number
from tui.cli.answering import Asker
from tui.cli.asking import PARENT, kept, names, parent_of, parts
from tui.cli.awaiting import goes_on, next_model, reader
from tui.cli.run_view import kept_in_folder, run_view, violated
from tui.cli.telling import Teller, follow, shown
from tui.cli.verb import Context, Output, Verb, listed
from tui.reading.model_before import model_before


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session", type=number, help="a session's id, as qd sessions lists it")
    parser.add_argument("text", help="what to say; - reads it from standard input")
    parser.add_argument("--fork", action="store_true", help="in a new session that begins as a copy of this one")
    parser.add_argument("--agent", help="who does it (the session's own)")
    parser.add_argument("--model", help="which model (as before in this session)")
    parser.add_argument("--inject", action="append", metavar="FILES", help="files to put before it")
    parser.add_argument("--can-write", action="append", metavar="PATHS", help="what it may write")
    parser.add_argument("--tools", action="append", metavar="TOOLS", help="the only tools that it may use")
    parser.add_argument("--keep", action="append", type=kept, metavar="PARTS", help="what its own program may add")
    parser.add_argument("--permissions", choices=("ask", "allow", "deny"), help="what happens when it wants to do more")
    parser.add_argument("--timeout", type=duration, help="how long it may take, like 60s or 10m")
    parser.add_argument("--wait", action="store_true", help="wait for a claim or a free place, be not refused for it")


def _say(context: Context) -> Output:
    config = load_strict(context.home)
    connection = context.reader()
    if connection is None:
        raise NotFound(f"there is no session {context.options.session}", "see: qd sessions")
    request = _request(context, config, sessions.get(connection, context.options.session), connection)
    client = Client(context.home)
    client.ensure()
    run_id = msgspec.json.decode(client.order("run", request))["run"]
    teller = Teller(quiet=context.options.json)
    run = _followed(context, run_id, teller)
    while (later := next_model(context.home, run.id)) is not None:
        teller.remark(f"run {run.id} {run.outcome}: {run.why}")
        run = _followed(context, later, teller)
    return _told(context, run, teller)


def _request(context: Context, config: Config, session: sessions.Session, connection: Connection) -> RunRequest:
    """In the folder and with the agent that the session has."""
    options = context.options
    text = sys.stdin.read() if options.text == "-" else options.text
    if not text.strip():
        raise UsageError("qd say: there is nothing to say", 'say it: qd say SESSION "text"')
    permissions: Permissions | None = options.permissions
    agent = options.agent or session.agent or (session.source if session.source in BUILT_IN else None)
    _needs_program(agent, session.id, config)
    return RunRequest(
        workspace=session.workspace or str(os.getcwd()),  # noqa: PTH109
        agent=agent,
        model=options.model or model_before(connection, session.id, config),
        task=text,
        inject=listed(options.inject) if options.inject else None,
        can_write=listed(options.can_write),
        tools=names(options.tools),
        keep=parts(options.keep),
        permissions=permissions,
        timeout_s=options.timeout,
        session_id=session.id,
        fork=options.fork,
        parent_run_id=parent_of(os.environ),
        wait=options.wait,
    )


def _needs_program(agent: str | None, session_id: int, config: Config) -> None:
    """Raises Refused for an agent that runs the program of each run, where there is none to say it to."""
    found = config.agents.get(agent or "")
    if found is not None and found.adapter == "command" and not found.argv:
        there = f"qd run --session {session_id} -- PROGRAM"
        fix = f"say it to another: qd say {session_id} --agent NAME ...; or run one there: {there}"
        raise Refused(f"agent '{agent}' has no program of its own that could answer", fix)


def _followed(context: Context, run_id: int, teller: Teller) -> runs.Run:
    """The run once it has ended, told meanwhile."""
    connection = reader(context.home)
    asker = Asker(context.home, connection, run_id, teller) if _may_ask(context) else None
    with Breaks() as breaks:

        def each() -> None:
            if breaks.taken():
                _break_off(context, run_id, teller, breaks.count)
            if asker is not None:
                asker.look()

        try:
            return follow(context.home, connection, run_id, teller.tell, each)
        except KeyboardInterrupt:
            print(f"qd: {goes_on(context, run_id)}", file=sys.stderr, flush=True)
            raise


class Breaks:
    """Counts how often Ctrl-C was pressed. From the third time on it does what it always does."""

    def __init__(self) -> None:
        self.count = 0
        self._taken = 0
        self._ours = threading.current_thread() is threading.main_thread()
        self._before: Any = None

    def __enter__(self) -> "Breaks":
        if self._ours:
            self._before = signal.signal(signal.SIGINT, self._pressed)
        return self

    def __exit__(self, *_: object) -> None:
        if self._ours:
            signal.signal(signal.SIGINT, self._before)

    def taken(self) -> bool:
        """Whether it was pressed since this was asked last."""
        pressed, self._taken = self.count > self._taken, self.count
        return pressed

    def _pressed(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if self.count > 2:
            raise KeyboardInterrupt


def _may_ask(context: Context) -> bool:
    """Whether somebody is there who may answer: never a run. The keys of a console are its own."""
    alone = threading.current_thread() is threading.main_thread()
    return alone and not context.options.json and sys.stdin.isatty() and not os.environ.get(PARENT)


def _break_off(context: Context, run_id: int, teller: Teller, count: int) -> None:
    """The first time it is to leave its turn, then it is ended."""
    kind, order = ("interrupt", Interrupt(run_id)) if count == 1 else ("stop", StopRun(run_id))
    teller.remark("it is asked to leave its turn; Ctrl-C once more ends it" if count == 1 else "it is being ended")
    with contextlib.suppress(QuarterdeckError):  # it has ended meanwhile
        Client(context.home).order(kind, order)


def _told(context: Context, run: runs.Run, teller: Teller) -> Output:
    connection = reader(context.home)
    view = run_view(connection, run) | kept_in_folder(context.home, connection, run)
    ok = run.outcome == "succeeded" and not violated(view)
    teller.end_line()
    said = "" if teller.said else shown(view["text"] or "").rstrip()
    for line in () if ok else _unwell(view):
        teller.remark(line)
    return Output(view, said, ok)


def _unwell(view: dict[str, Any]) -> list[str]:
    """What a refusal lacked, or how it ended."""
    failed = [check for check in view["verdict"]["checks"] if not check["ok"]]
    if view["outcome"] != "refused" or not failed:
        return [f"run {view['run']} {view['outcome']}: {view['why'] or 'see qd run show'}"]
    fixes = [f"{one['name']}: {one['why']}" + (f"; {one['fix']}" if one["fix"] else "") for one in failed]
    return [f"run {view['run']} is refused", *fixes]


SAY = Verb(_arguments, _say)
