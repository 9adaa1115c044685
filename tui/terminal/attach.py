"""How is this terminal handed to an agent's own program, and taken back? For the console's key and for `qd attach`."""

import argparse
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import msgspec
from msgspec import Struct

from engine.contract.orders import Attach
from engine.contract.outcome import EndRecord
from engine.execution import attached
from engine.execution.follow import APPEAR_S
from engine.runtime.attaching import LAUNCH, agent_of, given
from engine.runtime.client import Client
from engine.runtime.settings import load_strict
from state import runs, sessions
from state.database import open_reader
from state.errors import NotFound, Refused, UsageError
from state.home import Home
from tui.clean import clean
from tui.cli.amounts import number
from tui.cli.asking import needs_operator
from tui.cli.verb import Context, Output, Verb
from tui.terminal.away import deaf_to_keys, keys_blocked
from tui.text import plural

_STEP_S = 0.02
PATIENCE_S = 10.0
"""How long the engine may take to settle a run whose program has ended."""
_ENDING = (signal.SIGTERM, signal.SIGHUP)
_LOOK_S = 0.2


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


class HandedBack(Struct, frozen=True):
    """How the terminal came back."""

    goes_on: bool
    """We were not asked to end meanwhile."""
    why: str
    """What is odd about the program's end, in one line; empty when it ended as one that was used and left."""


def hand_over(ready: Ready, hold: bool = False) -> HandedBack:
    """Give the terminal away until the program has ended. It is as it was then, and with `hold` what an odd end left on
    it stays there until somebody has seen it. Blocks: whoever calls it must have let go of the terminal."""
    source, sink = os.pipe()
    program = Path(attached.__file__)
    argv = [sys.executable, "-I", "-S", "-X", "utf8", str(program), str(ready.folder), str(source)]
    env = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    with keys_blocked():  # until it ignores them itself
        keeper = subprocess.Popen(argv, pass_fds=(source,), env=env)
    with keeper:
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
            why = odd_end(ready.folder)
            if hold and why and not told:
                _wait_for_enter(why, lambda: bool(told))
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)
    return HandedBack(not told, why)


def odd_end(folder: Path) -> str:
    """`claude ended with exit code 1`, cleaned; empty when its program was used and left."""
    try:
        end = msgspec.json.decode((folder / "end.json").read_bytes(), type=EndRecord)
        argv = msgspec.json.decode((folder / LAUNCH).read_bytes(), type=_Launched).argv
    except (OSError, msgspec.DecodeError):
        return "it is not known how its program ended"
    name = clean(Path(argv[0]).name)
    if end.outcome == "could_not_start":
        return clean(f"{name} could not be started: {end.why}")
    if end.signal is not None:
        return f"{name} was ended by signal {end.signal}"
    return f"{name} ended with exit code {end.exit_code}" if end.exit_code else ""


class _Launched(Struct, frozen=True):
    """Of `launch.json`: what was started."""

    argv: tuple[str, ...]


def _wait_for_enter(why: str, ended: Callable[[], bool]) -> None:
    """Below what the program has left; ctrl+c is as good as enter. What was typed before it ended was not for us."""
    left: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: left.append(number))
    try:
        with contextlib.suppress(OSError, termios.error), _unechoed():  # the terminal may be gone
            os.write(1, f"{_BELOW}{why}: press enter to return".encode())
            while not left and not ended():
                if select.select([0], [], [], _LOOK_S)[0] and set(os.read(0, _READ_BYTES) or b"\n") & set(b"\r\n"):
                    break
            os.write(1, _BELOW.encode())
    finally:
        signal.signal(signal.SIGINT, before)


_READ_BYTES = 4096
_BELOW = "\x1b[0m\x1b[999;1H\x1b[2K"
"""The last line of the screen, which who ends a line leaves empty. Where the cursor stands does not say where the text
ends: leaving the other screen may have moved it."""


@contextlib.contextmanager
def _unechoed() -> Iterator[None]:
    """What is typed does not show, and what was typed before is forgotten."""
    before = termios.tcgetattr(0)
    tty.setcbreak(0, termios.TCSAFLUSH)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


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
    text = (
        f"Run {run.id} {(run.outcome or run.state).replace('_', ' ')}{why}, {plural(run.used_tokens, 'token')} so far."
    )
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
