"""How is this terminal handed to an agent's own program, and taken back? For the console's key and for `qd attach`."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

import msgspec
from msgspec import Struct

from engine.contract.orders import Attach
from engine.execution import attached
from engine.execution.follow import APPEAR_S
from engine.runtime.attaching import LAUNCH, agent_of, given
from engine.runtime.client import Client
from engine.runtime.settings import load_strict
from state import runs, sessions
from state.database import open_reader
from state.errors import NotFound, Refused, UsageError
from state.home import Home
from tui.away import deaf_to_keys
from tui.cli.amounts import number
from tui.cli.asking import needs_operator
from tui.cli.verb import Context, Output, Verb

_STEP_S = 0.02
PATIENCE_S = 10.0
"""How long the engine may take to settle a run whose program has ended."""
_ENDING = (signal.SIGTERM, signal.SIGHUP)


class Ready(Struct, frozen=True):
    """A run that waits for a terminal."""

    run_id: int
    folder: Path
    secrets: dict[str, str]


def begin(home: Home, session_id: int) -> Ready:
    """Ask the gate. What cannot be looked up is found out before anything is reserved. Blocks. Raises QuarterdeckError,
    which says what the gate lacked."""
    config = load_strict(home)
    connection = open_reader(home)
    if connection is None:
        raise NotFound(f"there is no session {session_id}", "see: qd sessions")
    agent = agent_of(config, sessions.get(connection, session_id))
    secrets = given(config.agents[agent].adapter, config.agents[agent], config, os.environ)
    client = Client(home)
    client.ensure()
    answer = msgspec.json.decode(client.order("attach", Attach(session_id)))
    failed = [check for check in answer["verdict"]["checks"] if not check["ok"]]
    if failed:
        raise Refused("; ".join(f"{one['name']}: {one['why']}" for one in failed), failed[0].get("fix", ""))
    run_id = answer["run"]
    folder = home.run_folder(run_id)
    until = time.monotonic() + APPEAR_S
    while not (folder / LAUNCH).exists():
        run = runs.get(connection, run_id)
        if not run.live or time.monotonic() > until:
            raise Refused(f"run {run_id} could not be prepared: {run.why or 'it took too long'}", "try again")
        time.sleep(_STEP_S)
    return Ready(run_id, folder, secrets)


def hand_over(ready: Ready) -> bool:
    """Give the terminal away until the program has ended; whether we were not asked to end meanwhile. The terminal is
    as it was then. Blocks: whoever calls it must have let go of the terminal."""
    source, sink = os.pipe()
    program = Path(attached.__file__)
    argv = [sys.executable, "-I", "-S", "-X", "utf8", str(program), str(ready.folder), str(source)]
    env = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    with subprocess.Popen(argv, pass_fds=(source,), env=env) as keeper:
        os.close(source)
        with os.fdopen(sink, "wb") as pipe:
            pipe.write(json.dumps(ready.secrets).encode())
        told: list[int] = []

        def end(number: int, _: FrameType | None) -> None:
            told.append(number)
            keeper.terminate()

        before = {one: signal.signal(one, end) for one in _ENDING}
        try:
            keeper.wait()
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)
    return not told


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session", type=number, help="a session's id, as qd sessions lists it")


def _attach(context: Context) -> Output:
    needs_operator(os.environ)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("qd attach: it needs a terminal", "say something instead: qd say SESSION TEXT")
    ready = begin(context.home, context.options.session)
    with deaf_to_keys():
        hand_over(ready)
    run = _settled(context.home, ready.run_id)
    data = {"run": run.id, "session": run.session_id, "outcome": run.outcome, "why": run.why, "tokens": run.used_tokens}
    why = f": {run.why}" if run.why else ""
    text = f"Run {run.id} {(run.outcome or run.state).replace('_', ' ')}{why}, {run.used_tokens:,} tokens so far."
    return Output(data, text, run.outcome == "succeeded")


def _settled(home: Home, run_id: int) -> runs.Run:
    """The run once it is settled, or as it is when that takes too long."""
    connection = open_reader(home)
    assert connection is not None, "the engine has just answered from it"
    until = time.monotonic() + PATIENCE_S
    while (run := runs.get(connection, run_id)).open and time.monotonic() < until:
        time.sleep(_STEP_S)
    return run


ATTACH = Verb(_arguments, _attach)
