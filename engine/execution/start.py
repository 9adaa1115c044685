"""How is a keeper started, so that it outlives whoever starts it?

It is never waited for: `reap` collects those that have ended meanwhile, and `follow` tells how their runs ended."""

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec

from engine.contract.outcome import KeeperJob
from state.errors import QuarterdeckError

KEEPER = Path(__file__).with_name("keeper.py")

_started: dict[int, subprocess.Popen[bytes]] = {}


def start_keeper(folder: Path, job: KeeperJob, stdin: str) -> int:
    """Start the keeper of the run in `folder` (which exists and is new); its pid. Raises QuarterdeckError."""
    reap()
    try:
        # Not msgspec: arguments and paths that are not UTF-8 are carried as lone surrogates, which it refuses.
        _write_new(folder / "launch.json", json.dumps(msgspec.to_builtins(job)).encode())
        _write_new(folder / "stdin", stdin.encode("utf-8", "replace"))
        keeper = _spawn(folder.absolute())
    except OSError as error:
        raise QuarterdeckError(f"cannot start the keeper of the run in {folder}: {error}") from error
    _started[keeper.pid] = keeper
    return keeper.pid


def reap() -> list[int]:
    """Collect the keepers of this process that have ended, so that none stays a zombie; their pids."""
    ended = [pid for pid, keeper in list(_started.items()) if keeper.poll() is not None]
    for pid in ended:
        _started.pop(pid, None)
    return ended


def _spawn(folder: Path) -> subprocess.Popen[bytes]:
    # An interpreter that was started with a library path of its own does not start without it.
    env = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-X", "utf8", str(KEEPER), str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=env,
        start_new_session=True,
        close_fds=True,
    )


def _write_new(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
