"""A prompt and a request as the engine hands them to an adapter, and the real child that comes of them."""

import os
import subprocess
from pathlib import Path

import pytest

from engine.contract.adapter import Adapter
from engine.contract.launch import AdapterRequest, AdapterResult, Part, PartKind, Prompt
from tests.nursery import Nursery


@pytest.fixture(scope="session")
def runners():
    """Forks off the program that asks models."""
    nursery = Nursery("engine.adapters.runner")
    yield nursery
    nursery.close()


@pytest.fixture(scope="session")
def clients():
    """Forks off the one that leads agents over their protocol."""
    nursery = Nursery("engine.adapters.acp_client")
    yield nursery
    nursery.close()


class Bench:
    """A workspace, the adapter's state folder, and runs of real children."""

    def __init__(self, root: Path) -> None:
        self.workspace = root / "workspace"
        self.state = root / "state"
        self.folder = root / "run"
        self.folder.mkdir()
        self.workspace.mkdir()
        self.state.mkdir(mode=0o700)

    def request(self, *parts: tuple[PartKind, str, str], **changes: object) -> AdapterRequest:
        prompt = Prompt(tuple(Part(kind, source, text, 10, "", True) for kind, source, text in parts))
        fields = {
            "prompt": prompt,
            "workspace": str(self.workspace),
            "argv": (),
            "argv_resume": (),
            "model": None,
            "tools": None,
            "provider_id": "conversation-1",
            "resume": False,
            "agent_state": str(self.state),
            "can_write": (),
            "output_limit_tokens": 500,
        }
        return AdapterRequest(**{**fields, **changes})  # type: ignore[arg-type]

    def run(self, adapter: Adapter, request: AdapterRequest) -> AdapterResult:
        """What the adapter makes of its child, started in the workspace with an allow-listed environment."""
        launch = adapter.launch(request)
        env = {"PATH": os.environ["PATH"], **launch.env}
        raw = launch.stdin.encode("utf-8", "replace")
        done = subprocess.run(launch.argv, input=raw, capture_output=True, env=env, cwd=self.workspace, timeout=60)
        (self.folder / "stdout.log").write_bytes(done.stdout)
        (self.folder / "stderr.log").write_bytes(done.stderr)
        return adapter.reader(self.folder).result(done.returncode if done.returncode >= 0 else None)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
