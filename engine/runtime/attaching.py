"""How does an attached run begin? What it asks the gate for, and what lies ready in its folder.

The agent's own program has the operator's terminal, which only the console can give it: `engine.execution.attached` is
started there, on the folder that is prepared here, and from then on the run is followed like any other.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex

import msgspec
from msgspec import Struct

from engine.adapters import claude_code, codex, codex_home
from engine.adapters.command import USAGE_FILE
from engine.config.model import Agent, Config
from engine.contract.launch import AdapterRequest, Service
from engine.contract.orders import RunRequest
from engine.contract.outcome import KeeperJob
from engine.execution import snapshot
from engine.execution.remains import KEY, PLACE
from engine.runtime.services import handed, service_of
from engine.runtime.starting import BEFORE, OWN_ENV, RUN, SHARED_ENV, ours
from state import runs, sessions, spool
from state.database import Connection
from state.errors import Refused
from state.files import write_private
from state.home import Home

PROGRAMS = ("claude_code", "codex")
"""The adapters whose programs can be opened on a conversation."""
LAUNCH = "launch.json"
"""In the folder once all else is there."""
TERMINAL_ENV = ("TERM", "COLORTERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "TMUX", "TMUX_PANE", "SSH_TTY")
"""What the console adds of its own environment: by these a program knows what its terminal can show."""
CODEX_ASKS = ("-s", "workspace-write", "-a", "on-request")
"""A conversation remembers how it was run last: our runs, which the kernel holds, without a sandbox of Codex's own and
without questions. Here nothing else holds it (seen with 0.169.0)."""
NO_DEADLINE_S = 0.0
"""`attached` knows none."""


class Opened(Struct, frozen=True):
    """An agent's own program on a conversation."""

    argv: tuple[str, ...]
    env: dict[str, str]


def request_of(connection: Connection, config: Config, session_id: int) -> RunRequest:
    """What the gate is asked for. Raises NotFound or Refused."""
    session = sessions.get(connection, session_id)
    agent = agent_of(config, session)
    generation = sessions.generation(connection, session.generation_id) if session.generation_id is not None else None
    if generation is None or generation.provider_id is None or not _is_begun(connection, session, generation):
        raise Refused(f"session {session.id} has no conversation that could be opened", "run in it once")
    if session.agent is None:
        _check_home(config, agent, generation)
    for run in runs.live(connection):
        if run.session_id == session.id:
            raise Refused(f"run {run.id} is live in session {session.id}", f"stop it first: qd run stop {run.id}")
    workspace = generation.workspace or session.workspace
    if workspace is None:
        raise Refused(f"it is not known in which folder session {session.id} works", "open it in its own program")
    return RunRequest(
        workspace=workspace,
        agent=agent,
        task_type="chat",
        task="attached: the operator works in its own program",
        tools=(),
        inject=(),
        skills="none",
        can_write=(".",),  # it may write anywhere; whoever wants to write there meanwhile is to know
        sandbox="off",
        permissions="deny",
        session_id=session.id,
        attach=True,
    )


def agent_of(config: Config, session: sessions.Session) -> str:
    """Whose program it is; of a session that was only observed, the agent of its client's name. Raises Refused."""
    name = session.agent or session.source
    agent = config.agents.get(name)
    if agent is None or agent.adapter not in PROGRAMS:
        why = f"session {session.id} is of {name}, which has no program that can be opened on it"
        raise Refused(why, f"these have: {', '.join(PROGRAMS)}")
    return name


def opened(adapter_name: str, service: Service, provider_id: str) -> Opened:
    """The program, as the operator would start it. Raises Refused."""
    if adapter_name == "claude_code":
        env = {"CLAUDE_CONFIG_DIR": service.home} if service.home is not None else {}
        return Opened((service.program or claude_code.PROGRAM, "--resume", provider_id), env)
    if adapter_name == "codex":
        home = codex_home.real_home(service, os.environ)
        return Opened((service.program or codex.PROGRAM, "resume", *CODEX_ASKS, provider_id), {"CODEX_HOME": str(home)})
    raise Refused(f"{adapter_name} has no program that can be opened", f"these have: {', '.join(PROGRAMS)}")


def given(adapter_name: str, agent: Agent, config: Config, environ: Mapping[str, str]) -> dict[str, str]:
    """What is handed over beside the folder and written nowhere, by whoever has the terminal: its key, its secrets,
    what its agent declares to be passed on, and how its terminal is. Raises Refused."""
    names = (*TERMINAL_ENV, *agent.env)
    passed = {name: environ[name] for name in names if name in environ}
    values = passed | handed(adapter_name, agent, config).values
    return {name: value for name, value in values.items() if name not in OWN_ENV}


def prepare(home: Home, run: runs.Run, request: AdapterRequest, config: Config) -> str:
    """Put everything into the run's folder, `launch.json` last; what holds it to its scope, as `runs.sandbox` keeps it.
    Raises QuarterdeckError or OSError. Blocks: a workspace may be large."""
    if request.provider_id is None:
        raise Refused("it has no conversation that could be opened", "run in its session once")
    folder = home.run_folder(run.id)
    program = opened(run.adapter, request.service, request.provider_id)
    before = snapshot.take(Path(run.workspace), leave_out=ours(home))
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700)
    (folder / spool.OWN).mkdir(mode=0o700)
    snapshot.store(before, folder / BEFORE)
    write_private(folder / USAGE_FILE, b"")
    job = KeeperJob(
        argv=program.argv,
        cwd=run.workspace,
        env=_environment(run, folder) | program.env | {KEY: token_hex(16)},
        timeout_s=NO_DEADLINE_S,
        grace_s=config.grace_s,
        output_cap=0,
    )
    write_private(folder / LAUNCH, msgspec.json.encode(job))
    return "off"


def _check_home(config: Config, agent: str, generation: sessions.Generation) -> None:
    """A conversation that was only observed may lie where this agent's program does not look. Raises Refused."""
    declared = config.agents[agent]
    service = service_of(declared.adapter, declared, config)
    codexes = declared.adapter == "codex"
    looks = codex_home.real_home(service, os.environ) if codexes else claude_code.config_folder(service)
    if Path(generation.provider_home).resolve() != looks.resolve():
        why = f"its conversation is in {generation.provider_home}, and {agent} looks in {looks}"
        raise Refused(why, f'declare an agent with home = "{generation.provider_home}", and run in that')


def _is_begun(connection: Connection, session: sessions.Session, generation: sessions.Generation) -> bool:
    """Whether its program can know it: an id that we chose means nothing before its first run."""
    return session.agent is None or runs.used(connection, generation.id)


def _environment(run: runs.Run, folder: Path) -> dict[str, str]:
    shared = {name: os.environ[name] for name in SHARED_ENV if name in os.environ}
    return shared | {RUN: str(run.id), PLACE: str(folder / USAGE_FILE)}
