"""How does an admitted run become a process? Its folder, environment and keeper, and how its workspace stood before."""

import contextlib
import os
import secrets
import shutil
from pathlib import Path

from engine.adapters.command import USAGE_FILE
from engine.adapters.registry import adapter
from engine.config.model import Config
from engine.contract.launch import AdapterRequest
from engine.contract.outcome import KeeperJob
from engine.execution import snapshot
from engine.execution.remains import KEY, PLACE
from engine.execution.start import start_keeper
from state import runs
from state.errors import StateError
from state.home import Home

OUTPUT_CAP_BYTES = 4 * 1024 * 1024
SHARED_ENV = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "QUARTERDECK_HOME")
"""What every child may see of the engine's environment; an agent's `env` adds to it."""
BEFORE = "before.snapshot"


def start(home: Home, run: runs.Run, request: AdapterRequest, config: Config) -> None:
    """Raises QuarterdeckError or OSError when it cannot be started. Blocks: a workspace may be large."""
    launch = adapter(run.adapter).launch(request)
    Path(request.agent_state).mkdir(mode=0o700, exist_ok=True)
    folder = home.run_folder(run.id)
    before = _before(folder)
    if folder.exists():  # the attempt before this one, or a half start of an engine that died
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700)
    snapshot.store(before or snapshot.take(Path(run.workspace), leave_out=ours(home)), folder / BEFORE)
    job = KeeperJob(
        argv=launch.argv,
        cwd=run.workspace,
        env=_environment(run, config, folder) | launch.env | {KEY: secrets.token_hex(16)},
        timeout_s=run.timeout_s or config.timeout_max_s,
        grace_s=config.grace_s,
        output_cap=OUTPUT_CAP_BYTES,
    )
    start_keeper(folder, job, launch.stdin)


def ours(home: Home) -> tuple[Path, ...]:
    """What we write ourselves while a run is live, whatever workspace it lies in."""
    return (home.state, home.config)


def _before(folder: Path) -> snapshot.Snapshot | None:
    """How the workspace stood before the first attempt of this run."""
    with contextlib.suppress(StateError):
        return snapshot.load(folder / BEFORE)
    return None


def _environment(run: runs.Run, config: Config, folder: Path) -> dict[str, str]:
    """Only what the run may see: its tools can read all of it."""
    agent = config.agents.get(run.agent)
    names = (*SHARED_ENV, *(agent.env if agent else ()))
    return {name: os.environ[name] for name in names if name in os.environ} | {
        "QUARTERDECK_RUN": str(run.id),
        PLACE: str(folder / USAGE_FILE),
    }
