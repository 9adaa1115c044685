"""Who plays a demo, and who clears it away? `python -m tui.demo.stagehand FOLDER`, a process of its own.

It writes a byte when the stage is set. The end of its input is the end of the console, however that came: then it ends
what belongs to the demo, by the same means by which drills do, and removes the folder.
"""

import contextlib
import itertools
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from engine.contract.orders import RunRequest
from engine.runtime.client import Client
from state.errors import QuarterdeckError
from tui.demo.clearing import clear, end_engine, kill, left_over
from tui.demo.props import DEPLOY
from tui.demo.recordings import Tape, tapes
from tui.demo.stage import Stage

BEAT_S = 0.5
EVERY_S = 9.0
"""Between two runs that are asked for."""
_PATIENCE_S = 10.0
_STEP_S = 0.02
_TASKS = ("mend the pump", "port the meter to v2", "explain the nightly build", "tidy up the notes")
_HOW_OFTEN = (8, 13, 31, 101, 201)
"""Beats between two responses of each tape."""


def main() -> None:
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # only the end of the console is the end of the demo
    stage = Stage(Path(sys.argv[1]))
    closing = threading.Event()
    load = threading.Thread(target=_load, args=(stage, closing), daemon=True)
    try:
        stage.furnish()
        played = tapes(stage.user, stage.workspace)
        for tape in played:
            tape.begin()
        sys.stdout.buffer.write(b"!")
        sys.stdout.buffer.flush()
        threading.Thread(target=_replay, args=(played, closing), daemon=True).start()
        load.start()
        sys.stdin.buffer.read(1)
    finally:
        closing.set()
        end_engine(stage)
        while load.is_alive():  # it may be about to start another
            kill(left_over(stage.folder))
            load.join(_STEP_S)
        clear(stage)


def _replay(played: tuple[Tape, ...], closing: threading.Event) -> None:
    """Logs grow, line by line."""
    for beat in itertools.count(1):
        if closing.wait(BEAT_S):
            return
        with contextlib.suppress(OSError):  # it is being cleared away
            for tape, often in zip(played, _HOW_OFTEN, strict=True):
                if beat % often == 0:
                    tape.turn(time.time())


def _load(stage: Stage, closing: threading.Event) -> None:
    """Runs through the real gate, one after the other."""
    client = Client(stage.home)
    with contextlib.suppress(QuarterdeckError):
        client.ensure()
    for number, request in enumerate(_requests(stage)):
        with contextlib.suppress(QuarterdeckError):  # the show goes on
            client.order("run", request, patience_s=_PATIENCE_S)
        if number == 1:
            _change_a_skill(stage)
        if closing.wait(EVERY_S if number > _OPENING else _STEP_S):
            return


_OPENING = 6


def _requests(stage: Stage) -> Iterator[RunRequest]:
    """First one of everything that can be seen, then work without end."""
    folder = str(stage.workspace)
    status = ("status.md",)
    yield RunRequest(folder, agent="releaser", task="summarise the status", inject=status, can_write=("notes/out.md",))
    yield RunRequest(folder, agent="coder", task="migrate the pump API", argv=("sh", "tools/work.sh", "150"))
    yield RunRequest(folder, task="what is open in hall two?", inject=status)
    yield RunRequest(folder, agent="flaky", task="follow every link of the site")
    yield RunRequest(folder, agent="reviewer", task="review the release notes", inject=status)
    yield RunRequest(folder, task="tidy up", inject=status, can_write=("../elsewhere.md",), trigger="spawn")
    yield RunRequest(folder, agent="releaser", task="publish the site", inject=status)
    for number in itertools.count():
        task = _TASKS[number % len(_TASKS)]
        if number % 3 == 2:
            yield RunRequest(folder, task=task, inject=status, trigger="spawn")
        else:
            yield RunRequest(folder, agent="coder", task=task, inject=("src/pump.py",), trigger="spawn")


def _change_a_skill(stage: Stage) -> None:
    """After it has been used: now it is held."""
    path = stage.workspace / DEPLOY
    with contextlib.suppress(OSError):
        path.write_text(path.read_text(encoding="utf-8").replace("watch what happens", "tell nobody"), encoding="utf-8")


if __name__ == "__main__":
    main()
