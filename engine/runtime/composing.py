"""What does a request amount to: agent, prompt and scope? Reads files and counts tokens, so it belongs in a thread."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from engine.admission.conflict import overlap
from engine.admission.scope import Scope, resolve_scope
from engine.config.durations import seconds
from engine.config.model import Agent, Config
from engine.context.compose import compose
from engine.context.inject import InjectedFile, InjectProblem, read_injected
from engine.context.skills import discover, skill_folders
from engine.contract.launch import Prompt
from engine.contract.orders import RunRequest
from state.errors import NotFound
from state.skills import Skill


class Composed(Struct, frozen=True):
    """A request with its prompt and its scope, ready for a verdict."""

    request: RunRequest
    agent: Agent
    workspace: Path
    argv: tuple[str, ...]
    problem: tuple[str, str]
    """Why the agent cannot be started, and what to do; empty when it can."""
    prompt: Prompt
    inject_names: tuple[str, ...]
    inject_problems: tuple[InjectProblem, ...]
    scope: Scope
    timeout_s: float
    skill_count: int
    """How many skills the prompt offers."""

    @property
    def assignment(self) -> str | None:
        """What the conversation is about: a job's own words. Other runs are told by the operator, turn by turn."""
        return f"{self.request.job}: {self.request.task}" if self.request.job else None


def compose_request(request: RunRequest, config: Config) -> Composed:
    """Raises NotFound when there is no such agent; everything else that is wrong becomes a line of the verdict."""
    agent = config.agents.get(request.agent)
    if agent is None:
        raise NotFound(f"there is no agent '{request.agent}'", f"known: {', '.join(config.agents)}")
    workspace = _expanded(agent.workspace or request.workspace)
    names = [name for name in _inject_list(agent, request) if name != agent.instructions]
    files, problems = read_injected(workspace, names)
    opening, missing = read_injected(workspace, (agent.instructions,) if agent.instructions else ())
    argv = request.argv or agent.argv
    skills = _allowed(agent, config, workspace)
    return Composed(
        request=request,
        agent=agent,
        workspace=workspace,
        argv=argv,
        problem=_cannot_start(agent, workspace, argv, names),
        prompt=compose(
            instructions=opening[0] if opening else None,
            skills=skills,
            files=files,
            task=request.task,
        ),
        inject_names=tuple(names),
        inject_problems=(*problems, *missing, *_unreadable(request, workspace, files)),
        scope=resolve_scope(workspace, request.can_write),
        timeout_s=_timeout_s(request, agent, config),
        skill_count=len(skills),
    )


def _inject_list(agent: Agent, request: RunRequest) -> tuple[str, ...]:
    return agent.inject if request.inject is None else request.inject


def _expanded(folder: str) -> Path:
    """With `~` filled in; one of a user who is not there stays as it is, and the verdict says that it is no folder."""
    try:
        return Path(folder).expanduser()
    except RuntimeError:
        return Path(folder)


def _allowed(agent: Agent, config: Config, workspace: Path) -> list[Skill]:
    """The skills of the agent's set as they are now, in the set's order; an agent without a set gets none."""
    if agent.skills is None:
        return []
    found = discover(skill_folders(os.environ, [str(workspace)], config.skills.folders))
    by_name = {skill.name: skill for skill in reversed(found)}
    return [by_name[name] for name in config.skill_set[agent.skills].skills if name in by_name]


def _cannot_start(agent: Agent, workspace: Path, argv: tuple[str, ...], inject: Sequence[str]) -> tuple[str, str]:
    if not workspace.is_dir():
        return f"its workspace {workspace} is not a folder", "name one that exists"
    if agent.adapter == "digest" and not inject:
        return "it reads the files that are injected, and none is named", "name a file to inject"
    if agent.adapter != "command":
        return ("it takes no program", "leave out what follows --") if argv else ("", "")
    if not argv:
        return "it has no program to run", "give one after --"
    if shutil.which(argv[0]) is None and not (workspace / argv[0]).is_file():
        return f"there is no program '{argv[0]}' on the engine's PATH", "give its full path"
    return "", ""


def _unreadable(request: RunRequest, workspace: Path, files: Sequence[InjectedFile]) -> list[InjectProblem]:
    """Injected files that the run may not read, by its own `can_read`."""
    if not request.can_read:
        return []
    scope = resolve_scope(workspace, request.can_read)
    problems = [InjectProblem("can_read", problem, "name paths inside the workspace") for problem in scope.problems]
    outside = [file for file in files if not any(overlap(file.path, path) for path in scope.paths)]
    return problems + [InjectProblem(file.name, "it lies outside can_read", "widen can_read") for file in outside]


def _timeout_s(request: RunRequest, agent: Agent, config: Config) -> float:
    if request.timeout_s is not None:
        return request.timeout_s
    return seconds(agent.timeout or config.limits.timeout)
