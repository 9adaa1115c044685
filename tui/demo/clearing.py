"""How is everything of a demo cleared away? Every process, by the same means by which drills do; then the folder."""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Iterable
from pathlib import Path

from engine.proof.desk import end_runs
from engine.runtime.lease import holder
from state.errors import QuarterdeckError
from tui.demo.stage import Stage

LEAVE_S = 3.0
_STEP_S = 0.02


def end_engine(stage: Stage) -> None:
    """In good order, where that does not take long."""
    deadline = time.monotonic() + LEAVE_S
    while (found := holder(stage.home)) is not None and time.monotonic() < deadline:
        _end(found.pid, signal.SIGTERM)
        time.sleep(_STEP_S)


def kill(pids: Iterable[int]) -> None:
    """At once; those that are gone already, too."""
    for pid in pids:
        _end(pid, signal.SIGKILL)


def clear(stage: Stage) -> None:
    """Nothing of the demo is left when this returns: no process, no file."""
    end_engine(stage)
    with contextlib.suppress(QuarterdeckError):
        end_runs(list(stage.home.runs.glob("[0-9]*")))
    while pids := left_over(stage.folder):
        kill(pids)
        time.sleep(_STEP_S)
    while stage.folder.exists():
        shutil.rmtree(stage.folder, ignore_errors=True)


def left_over(folder: Path) -> list[int]:
    """Every process that was started with this folder in its arguments, but for this one."""
    processes = (path for path in Path("/proc").iterdir() if path.name.isdigit() and int(path.name) != os.getpid())
    return [int(process.name) for process in processes if _names(process, str(folder).encode())]


def _names(process: Path, folder: bytes) -> bool:
    try:
        return folder in (process / "cmdline").read_bytes()
    except OSError:
        return False


def _end(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
