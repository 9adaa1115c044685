"""One real run: its folder, its keeper, and a mark in its environment by which every process of it is found."""

import asyncio
import contextlib
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.contract.outcome import EndRecord, KeeperAlive, KeeperJob
from engine.execution.follow import read_alive, wait_for_end
from engine.execution.start import reap, start_keeper

DEADLINE_S = 30.0


class Run:
    """A run of `argv`; every step of it has a deadline."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = f"QD_TEST={uuid.uuid4().hex}"
        self.keeper = 0
        self.secrets: dict[str, str] = {}

    def start(self, *argv: str, stdin: str = "", **changes: object) -> "Run":
        name, _, value = self.mark.partition("=")
        job = {
            "argv": argv,
            "cwd": str(self.folder),
            "env": {"PATH": "/usr/bin:/bin", name: value},
            "timeout_s": DEADLINE_S,
            "grace_s": 1.0,
            "output_cap": 1024 * 1024,
        }
        self.keeper = start_keeper(self.folder, KeeperJob(**{**job, **changes}), stdin, self.secrets)  # type: ignore[arg-type]
        return self

    def end(self) -> EndRecord:
        return asyncio.run(asyncio.wait_for(wait_for_end(self.folder), DEADLINE_S))

    def alive(self) -> KeeperAlive:
        """The keeper, once it has said which process its child is."""
        self.until(lambda: (alive := read_alive(self.folder)) is not None and alive.child_pid is not None)
        alive = read_alive(self.folder)
        assert alive is not None
        return alive

    def file(self, name: str) -> str:
        """The content of a file that the child writes, once it is there and ends with a newline."""
        path = self.folder / name
        self.until(lambda: path.exists() and path.read_text(errors="replace").endswith("\n"))
        return path.read_text(errors="replace").strip()

    def until_it_says(self, text: bytes) -> None:
        """Exactly this, so far."""
        self.until(lambda: (self.folder / "stdout.log").exists() and self.stdout == text)

    def until(self, happened: Callable[[], object]) -> None:
        give_up = time.monotonic() + DEADLINE_S
        while not happened():
            assert time.monotonic() < give_up, "it did not happen in time"
            time.sleep(0.005)

    @property
    def stdout(self) -> bytes:
        return (self.folder / "stdout.log").read_bytes()

    @property
    def stderr(self) -> bytes:
        return (self.folder / "stderr.log").read_bytes()

    def survivors(self) -> list[int]:
        """Every process, zombies apart, that carries the mark."""
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and self._is_mine(name)]  # noqa: PTH208

    def _is_mine(self, name: str) -> bool:
        try:
            return self.mark.encode() in Path("/proc", name, "environ").read_bytes()
        except OSError:
            return False


@pytest.fixture
def new_run(tmp_path: Path) -> Iterator[Callable[[], Run]]:
    """Makes runs; after the test none of them may have left a process, and no keeper a zombie."""
    yield from _maker(tmp_path)


@pytest.fixture(scope="module")
def new_run_of_many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Run]]:
    """The same, for all tests of a file."""
    yield from _maker(tmp_path_factory.mktemp("runs"))


def _maker(place: Path) -> Iterator[Callable[[], Run]]:
    made: list[Run] = []

    def make() -> Run:
        folder = place / f"run{len(made)}"
        folder.mkdir()
        made.append(Run(folder))
        return made[-1]

    yield make
    left = {pid for one in made for pid in one.survivors()}
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert left == set()
    for one in made:
        one.until(lambda one=one: reap() is None or not Path("/proc", str(one.keeper or "none")).exists())


@pytest.fixture
def run(new_run: Callable[[], Run]) -> Run:
    return new_run()
