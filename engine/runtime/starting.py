"""How does an admitted run become a process? Its folder, environment, secrets and sandbox, its keeper, and how its
workspace stood before."""

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex

import msgspec

from engine.adapters.command import USAGE_FILE
from engine.adapters.registry import adapter
from engine.config.model import Config
from engine.contract.launch import AdapterRequest, Launch
from engine.contract.orders import RunRequest
from engine.contract.outcome import KeeperJob
from engine.contract.route import Route
from engine.execution import snapshot
from engine.execution.remains import KEY, PLACE
from engine.execution.start import start_keeper
from engine.runtime import redaction
from engine.runtime.sandboxing import TMP, Needs, confine, is_contained
from engine.runtime.services import handed
from state import runs, spool
from state.errors import Refused, StateError
from state.files import write_private
from state.home import Home

SHARED_ENV = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "QUARTERDECK_HOME")
"""What every child may see of the engine's environment; an agent's `env` adds to it."""
RUN = spool.RUN
TMP_ENV = ("TMPDIR", "TMP", "TEMP")
OWN_ENV = (RUN, KEY, PLACE, *TMP_ENV)
"""What no agent's `env` or `secrets` can say otherwise."""
BEFORE = "before.snapshot"
STOPPED = "stopped by the operator before it was started"


def start(
    home: Home, run: runs.Run, request: AdapterRequest, config: Config, is_stopped: Callable[[], bool] = lambda: False
) -> str:
    """What holds it to its scope, as `runs.sandbox` keeps it. Raises QuarterdeckError or OSError when it cannot be
    started. Blocks: a workspace may be large, and a command may be asked for a key; `is_stopped` says whether the
    operator has ended the run meanwhile, and then it never starts."""
    folder = home.run_folder(run.id)
    route = _route(run)
    asked = msgspec.structs.replace(request, run_folder=str(folder), contained=is_contained(route))
    launch = adapter(run.adapter).launch(asked)
    secrets = _secrets(run, launch, config)
    Path(request.agent_state).mkdir(mode=0o700, exist_ok=True)
    before = _before(folder) or snapshot.take(Path(run.workspace), leave_out=ours(home))
    if is_stopped():
        raise Refused(STOPPED)
    _make(folder, launch)
    snapshot.store(before, folder / BEFORE)
    env = _environment(run, folder) | launch.env | {KEY: token_hex(16)}
    search = (env | secrets).get("PATH", os.defpath)
    needs = Needs(folder, request.agent_state, launch, search, _own_state(run, config))
    held = confine(home, route, Path(run.workspace), needs)
    job = KeeperJob(
        argv=(*held.prefix, *launch.argv),
        cwd=run.workspace,
        env=env,
        timeout_s=run.timeout_s or config.timeout_max_s,
        grace_s=_grace_s(run, config) / (2 if request.held else 1),  # the first half is for leaving its turn
        output_cap=launch.output_cap,
        silence_s=route.silence_s,
        input_open=launch.input_open,
        sandbox=held.rules,
    )
    start_keeper(folder, job, launch.stdin, secrets)
    return held.word


def ours(home: Home) -> tuple[Path, ...]:
    """What we write ourselves while a run is live, whatever workspace it lies in."""
    return (home.state, home.config)


def _before(folder: Path) -> snapshot.Snapshot | None:
    """How the workspace stood before the first attempt of this run."""
    with contextlib.suppress(StateError):
        return snapshot.load(folder / BEFORE)
    return None


def _make(folder: Path, launch: Launch) -> None:
    """Anew, with all that its program finds there."""
    if folder.exists():  # the attempt before this one, or a half start of an engine that died
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700)
    for name in (TMP, spool.OWN):
        (folder / name).mkdir(mode=0o700)
    write_private(folder / USAGE_FILE, b"")  # it may be written, its folder may not
    for name, text in launch.files.items():
        if "/" in name or name in ("", ".", ".."):
            raise Refused(f"{name!r} is no name for a file of a run")
        write_private(folder / name, text.encode("utf-8", "replace"))


def _route(run: runs.Run) -> Route:
    """Raises Refused for a run that was admitted before routes were kept."""
    if run.route is None:
        raise Refused("it was admitted by an older engine, which did not say how it is to run", "ask for it again")
    return msgspec.json.decode(run.route, type=Route)


def _grace_s(run: runs.Run, config: Config) -> float:
    asked = msgspec.json.decode(run.request, type=RunRequest).grace_s if run.request else None
    return config.grace_s if asked is None else asked


def _own_state(run: runs.Run, config: Config) -> tuple[str, ...]:
    """What its program keeps of its own, as the operator says."""
    agent = config.agents.get(run.agent)
    return tuple(os.path.expanduser(path) for path in agent.state) if agent else ()  # noqa: PTH111 - never raises


def _secrets(run: runs.Run, launch: Launch, config: Config) -> dict[str, str]:
    """What only the keeper is told. Raises Refused when one of them cannot be looked up."""
    agent = config.agents.get(run.agent)
    if agent is None:
        return {}
    found = handed(run.adapter, agent, config)
    redaction.remember(found.hidden)
    passed = {name: os.environ[name] for name in agent.env if name in os.environ and name not in launch.env}
    return {name: value for name, value in (passed | found.values).items() if name not in OWN_ENV}


def _environment(run: runs.Run, folder: Path) -> dict[str, str]:
    """What every run may see: its tools can read all of it."""
    return (
        {name: os.environ[name] for name in SHARED_ENV if name in os.environ}
        | {RUN: str(run.id), PLACE: str(folder / USAGE_FILE)}
        | dict.fromkeys(TMP_ENV, str(folder / TMP))
    )
