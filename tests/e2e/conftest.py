"""A desk: a throw-away HOME with a workspace, and `qd` as a user runs it."""

import contextlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.runtime.lease import holder
from state import approvals, runs
from state.database import Connection, open_reader
from state.home import Home
from tests.e2e.forked import Forked
from tests.e2e.terminal import Terminal
from tests.modelserver import ModelServer

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
PATIENCE_S = 40.0
QD = Forked()


class Desk:
    """One user's HOME. Every engine started under it ends with the test."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.workspace = home / "work"
        self.workspace.mkdir(parents=True)
        self.state = home / ".local" / "state" / "quarterdeck"
        self.config_file = home / ".config" / "quarterdeck" / "quarterdeck.toml"
        self.env = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "TZ": "UTC",
            "PYTHONPATH": str(ROOT),
        }
        if "LD_LIBRARY_PATH" in os.environ:
            self.env["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]

    @property
    def argv(self) -> list[str]:
        return [sys.executable, "-m", "tui"]

    def run(self, *words: str, cwd: Path | None = None) -> tuple[int, str, str]:
        """`qd WORDS`: exit code, standard output, standard error."""
        done = QD.run(words, self.env, cwd or self.workspace, PATIENCE_S)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout, done.stderr

    def json(self, *words: str, code: int = 0) -> Any:
        """`qd WORDS --json`, which must end with `code`, decoded."""
        before, dashes, after = (
            (words[: words.index("--")], ("--",), words[words.index("--") + 1 :]) if "--" in words else (words, (), ())
        )
        got, out, err = self.run(*before, "--json", *dashes, *after)
        assert got == code, f"exit {got}: {out}{err}"
        return json.loads(out)

    def write(self, name: str, text: str) -> Path:
        path = self.workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def configure(self, text: str) -> None:
        self.config_file.parent.mkdir(parents=True, exist_ok=True)
        self.config_file.write_text(text)

    def engine_pid(self) -> int | None:
        code, out, _ = self.run("engine", "status", "--json")
        return int(json.loads(out)["pid"]) if code == 0 else None

    def holder_pid(self) -> int | None:
        """The same, asked of the lock itself: fast enough to wait by."""
        found = holder(Home(config=self.config_file.parent, state=self.state))
        return found.pid if found and found.ready else None

    def ended(self, run_id: int | str) -> Any:
        """The run, as `qd run show` tells it, once it has an outcome."""
        until(lambda: self._look(lambda reader: runs.get(reader, int(run_id)).outcome), f"run {run_id} ends")
        return self.json("run", "show", str(run_id))

    def asked(self) -> Any:
        """What waits for the operator's word, once something does."""
        until(lambda: self._look(approvals.pending), "it asks")
        return self.json("approvals")["approvals"]

    def _look(self, question: Callable[[Connection], Any]) -> Any:
        """What the database says: to wait by this costs the machine less than to wait by `qd`."""
        reader = open_reader(Home(config=self.config_file.parent, state=self.state))
        assert reader is not None
        with contextlib.closing(reader):
            return question(reader)

    def install_recordings(self) -> None:
        """The recorded session files, where their clients keep them."""
        for source, target in (("claude", ".claude"), ("codex", ".codex")):
            for path in (DATA / source).rglob("*.jsonl"):
                copy = self.home / target / path.relative_to(DATA / source)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(path.read_bytes())

    def close(self) -> None:
        for folder in (self.state / "runs").glob("*") if self.state.exists() else ():
            keeper = folder / "keeper.json"
            if keeper.exists() and not (folder / "end.json").exists():
                kill(json.loads(keeper.read_text())["pid"], signal.SIGTERM)
        pid = self.holder_pid() if self.state.exists() else None
        if pid is not None:
            kill(pid, signal.SIGTERM)
            until(lambda: self.holder_pid() is None, "the engine ends")


def kill(pid: int, number: int) -> None:
    if pid <= 0:  # nobody's: a run that was given up
        return
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def until(true: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """Wait for a condition, not for a time; its value."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        value = true()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {patience_s:g} s in vain until {what}")


@pytest.fixture(scope="session", autouse=True)
def _forks() -> Iterator[None]:
    yield
    QD.close()


@pytest.fixture
def wait_until() -> Callable[..., Any]:
    return until


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "home")
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture
def open_console(desk: Desk, request: pytest.FixtureRequest) -> Iterator[Callable[..., Terminal]]:
    """Opens consoles on the desk; each is a terminal of its own."""
    if shutil.which("tmux") is None:
        pytest.skip("needs tmux, which .ci/run installs")
    terminals: list[Terminal] = []

    def opened(size: tuple[int, int] = (120, 34), argv: Sequence[str] | None = None) -> Terminal:
        name = f"qd-{os.getpid()}-{len(terminals)}-{abs(hash(request.node.name)) % 10_000}"
        terminals.append(Terminal(name, argv or desk.argv, desk.env, str(desk.workspace), size))
        return terminals[-1]

    yield opened
    for terminal in terminals:
        terminal.close()
