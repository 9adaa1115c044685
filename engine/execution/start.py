"""How is a keeper started, so that it outlives whoever starts it?

It is never waited for: `reap` collects those that have ended meanwhile, and `follow` tells how their runs ended."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from engine.contract.outcome import KeeperJob
from engine.execution.job import SECRETS_SIZE
from state.errors import QuarterdeckError

KEEPER = Path(__file__).with_name("keep.py")

_started: dict[int, subprocess.Popen[bytes]] = {}


def start_keeper(folder: Path, job: KeeperJob, stdin: str, secrets: Mapping[str, str] = {}) -> int:
    """Start the keeper of the run in `folder` (which exists and is new); its pid. Raises QuarterdeckError.

    The `secrets` join the child's environment, and are neither written anywhere nor in any argument."""
    reap()
    handed = json.dumps(dict(secrets)).encode()
    if len(handed) > SECRETS_SIZE:
        raise QuarterdeckError(f"the secrets of the run in {folder} take more than {SECRETS_SIZE:,} bytes")
    try:
        # Not msgspec: arguments and paths that are not UTF-8 are carried as lone surrogates, which it refuses.
        _write_new(folder / "launch.json", json.dumps(msgspec.to_builtins(job)).encode())
        _write_new(folder / "stdin", stdin.encode("utf-8", "replace"))
        keeper = _spawn(folder.absolute())
    except OSError as error:
        raise QuarterdeckError(f"cannot start the keeper of the run in {folder}: {error}") from error
    _started[keeper.pid] = keeper
    _hand_over(keeper, handed)
    return keeper.pid


def reap() -> list[int]:
    """Collect the keepers of this process that have ended, so that none stays a zombie; their pids."""
    ended = [pid for pid, keeper in list(_started.items()) if keeper.poll() is not None]
    for pid in ended:
        _started.pop(pid, None)
    return ended


def _hand_over(keeper: subprocess.Popen[bytes], secrets: bytes) -> None:
    """Without them all it says that they did not arrive, and when it is dead, `follow` does."""
    assert keeper.stdin is not None
    with contextlib.suppress(BrokenPipeError), keeper.stdin as pipe:
        pipe.write(secrets)


def _spawn(folder: Path) -> subprocess.Popen[bytes]:
    # An interpreter that was started with a library path of its own does not start without it.
    env = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-X", "utf8", str(KEEPER), str(folder)],
        stdin=subprocess.PIPE,
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
