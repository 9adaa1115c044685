"""What does a request amount to: agent, prompt and scope? Reads files and counts tokens, so it belongs in a thread."""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from msgspec import Struct

from engine.adapters.registry import adapter
from engine.config.model import Agent, Config
from engine.context.assemble import Assembled, assemble
from engine.context.fill import words
from engine.context.held import held
from engine.context.inject import InjectedFile, InjectProblem
from engine.context.routing import route
from engine.context.skill_set import set_hash
from engine.context.skills import discover, skill_folders
from engine.contract.launch import Prompt, Wanted
from engine.contract.orders import RunRequest
from engine.contract.route import Route
from engine.runtime.sandboxing import Enforced, enforced
from engine.runtime.services import service_of, unresolved
from engine.runtime.settings import zone_of
from engine.runtime.skill_pins import pin_of
from engine.scopes.conflict import Clash, HeldScope, decide
from engine.scopes.scope import Scope, coverage, resolve_scope
from state.skills import Pin, Skill


class Held(Struct, frozen=True):
    """What the engine knew when composing began."""

    newest_token: int
    """Of all claims: what was claimed since has to be looked at again."""
    scopes: tuple[HeldScope, ...]
    pins: tuple[Pin, ...]


class Composed(Struct, frozen=True):
    """A request with its prompt and its scope, ready for a verdict."""

    request: RunRequest
    route: Route
    agent: Agent
    workspace: Path
    argv: tuple[str, ...]
    argv_resume: tuple[str, ...]
    wanted: Wanted
    problem: tuple[str, str]
    """Why the agent cannot be started, and what to do; empty when it can."""
    prompt: Prompt
    inject_problems: tuple[InjectProblem, ...]
    everything_tokens: int
    scope: Scope
    read_scope: Scope
    enforced: Enforced
    clashes: tuple[tuple[HeldScope, Clash, bool], ...]
    """With live claims as they were when composing began, and whether both would write."""
    newest_token: int
    skills: tuple[Skill, ...]
    skill_problems: tuple[tuple[str, str], ...]
    skill_set_hash: str | None
    unpinned: tuple[Pin, ...]
    """Skills that are used for the first time: what they say now is what is allowed."""

    @property
    def claimed(self) -> list[tuple[Literal["w", "r"], Scope, tuple[str, ...]]]:
        """What is claimed while it lives: what it writes and, where that is said, what it reads."""
        both: list[tuple[Literal["w", "r"], Scope, tuple[str, ...]]] = [
            ("w", self.scope, self.route.can_write),
            ("r", self.read_scope, self.route.can_read),
        ]
        return [one for one in both if one[2]]

    @property
    def assignment(self) -> str | None:
        """What the conversation is about: a job's own words. Other runs are told by the operator, turn by turn."""
        return f"{self.request.job}: {self.route.task}" if self.request.job else None


def compose_request(request: RunRequest, config: Config, known: Held, now_ms: int) -> Composed:
    """Raises NotFound or Refused when the request names what is not there; everything else that is wrong becomes a line
    of the verdict."""
    routed = route(request, config)
    agent = config.agents[routed.agent]
    job = config.job.get(request.job or "")
    workspace = _expanded((job.workspace if job else None) or agent.workspace or request.workspace)
    now = datetime.fromtimestamp(now_ms / 1000, zone_of(config))
    named = words(routed, job=request.job, workspace=str(workspace), trigger=request.trigger, now=now)
    found = discover(skill_folders(os.environ, [str(workspace)], config.skills.folders))
    made = assemble(routed, config, workspace, named, found)
    writes = resolve_scope(workspace, routed.can_write)
    reads = resolve_scope(workspace, routed.can_read, mode="r")
    argv = request.argv or agent.argv
    wanted = Wanted(
        workspace=str(workspace),
        service=service_of(routed.adapter, agent, config),
        model=routed.model,
        tools=routed.tools,
        keep=routed.keep,
        argv=argv,
        argv_resume=() if request.argv else agent.argv_resume,
        inject=routed.inject,
        permissions=routed.permissions,
    )
    return Composed(
        request=request,
        route=routed,
        agent=agent,
        workspace=workspace,
        argv=argv,
        argv_resume=wanted.argv_resume,
        wanted=wanted,
        problem=_cannot_start(routed.adapter, agent, wanted, config),
        prompt=Prompt(()) if request.attach else made.prompt,
        inject_problems=(*made.inject_problems, *_unreadable(routed, reads, made.files)),
        everything_tokens=made.everything_tokens,
        scope=writes,
        read_scope=reads,
        enforced=enforced(routed, writes),
        clashes=tuple(_clashes(writes, reads, known.scopes)),
        newest_token=known.newest_token,
        skills=made.skills,
        skill_problems=tuple(_skill_problems(made, known.pins)),
        skill_set_hash=set_hash(made.skills),
        unpinned=tuple(_unpinned(made.skills, known.pins, now_ms)),
    )


def _expanded(folder: str) -> Path:
    """With `~` filled in; one of a user who is not there stays as it is, and the verdict says that it is no folder."""
    try:
        return Path(folder).expanduser()
    except RuntimeError:
        return Path(folder)


def _cannot_start(adapter_name: str, agent: Agent, wanted: Wanted, config: Config) -> tuple[str, str]:
    if not Path(wanted.workspace).is_dir():
        return f"its workspace {wanted.workspace} is not a folder", "name one that exists"
    lacks = adapter(adapter_name).lacks(wanted)
    return lacks if lacks[0] else unresolved(adapter_name, agent, config)


def _unreadable(routed: Route, reads: Scope, files: Sequence[InjectedFile]) -> list[InjectProblem]:
    """Injected files that the run may not read, by its own `can_read`."""
    if not routed.can_read:
        return []
    within = coverage(reads)
    outside = [file for file in files if not within(file.path)]
    return [InjectProblem(file.name, "it lies outside can_read", "widen can_read") for file in outside]


def _clashes(writes: Scope, reads: Scope, scopes: Sequence[HeldScope]) -> list[tuple[HeldScope, Clash, bool]]:
    """Each with whether both would write."""
    found = [(held, clash, held.mode == "w") for held, clash in decide(writes, scopes)]
    if not reads.patterns:
        return found
    return found + [(held, clash, False) for held, clash in decide(reads, scopes)]


def _skill_problems(made: Assembled, pins: Sequence[Pin]) -> list[tuple[str, str]]:
    problems = [(problem.why, problem.fix) for problem in made.skill_problems]
    for name, why in held(made.skills, pins).items():
        problems.append((f"skill {name} is held: {why}", f"look at it and allow it: qd skills allow {name}"))
    return problems


def _unpinned(allowed: Sequence[Skill], pins: Sequence[Pin], now_ms: int) -> list[Pin]:
    known = {pin.name for pin in pins}
    new = [skill for skill in allowed if skill.name not in known]
    return [pin_of(skill, now_ms) for skill in new]
