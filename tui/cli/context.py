"""`qd context`: what goes into a prompt, which level decided it, and what each part costs. It only reads files."""

import argparse
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from engine.admission.words import dollars
from engine.config.durations import say
from engine.config.model import Config
from engine.config.rules import no_such
from engine.context.assemble import Assembled, assemble
from engine.context.cache_break import prompt_warnings
from engine.context.compose import receipt_parts
from engine.context.fill import words
from engine.context.routing import route
from engine.context.skills import discover, skill_folders
from engine.contract.orders import RunRequest, Trigger
from engine.contract.route import Route
from engine.contract.verdict import ReceiptPart
from engine.runtime.composing import Composed, Held, compose_request
from engine.runtime.counting import counted_by_provider
from engine.runtime.settings import load_strict, zone_of
from state.errors import NotFound, UsageError
from tui.cli.asking import agent_named, names
from tui.cli.verb import Context, Output, Verb, declared_key, listed, page, table
from tui.text import plural

_SOURCE_LEAST = 12
"""Columns that a shortened source keeps."""


class Picture(Struct, frozen=True):
    """All that is said of a prompt."""

    route: Route
    workspace: Path
    made: Assembled
    parts: tuple[ReceiptPart, ...]
    """In the order that was asked for."""
    warnings: tuple[str, ...]
    unfit: tuple[tuple[str, str, str], ...]
    """What the gate would refuse before it looks at any budget: what it is, why, and what would help."""
    counted: bool = False
    """Whether the provider was asked."""
    provider_tokens: int | None = None
    """What it said of the whole first request; None when it does not count."""

    @property
    def tokens(self) -> int:
        return self.made.prompt.tokens

    @property
    def over_limit(self) -> int:
        return max(0, self.tokens - self.route.injected_tokens)

    @property
    def over_target(self) -> int | None:
        """None without a target."""
        return None if self.route.target_tokens is None else max(0, self.tokens - self.route.target_tokens)

    @property
    def saved(self) -> int:
        return self.made.everything_tokens - self.tokens

    @property
    def saved_percent(self) -> int | None:
        """None where there is nothing to save of."""
        return round(100 * self.saved / self.made.everything_tokens) if self.made.everything_tokens else None

    @property
    def problems(self) -> list[dict[str, str]]:
        """What keeps such a run from starting."""
        said = [{"what": what, "why": why, "fix": fix} for what, why, fix in self.unfit]
        said += [{"what": one.name, "why": one.why, "fix": one.fix} for one in self.made.skill_problems]
        if self.over_limit:
            over = f"{self.over_limit:,} over the limit of {self.route.injected_tokens:,}"
            why = f"{plural(self.tokens, 'token')} {'is' if self.tokens == 1 else 'are'} {over}"
            said.append({"what": "prompt", "why": why, "fix": "inject less, or raise injected_tokens"})
        return said


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--agent", help="whose prompt (the template's or the job's, else digest)")
    parser.add_argument("--task-type", help="what kind of work")
    parser.add_argument("--template", help="a declared template")
    parser.add_argument("--param", action="append", metavar="NAME=VALUE", help="fills in the template")
    parser.add_argument("--job", help="a declared job, as when it is due")
    parser.add_argument("--spawn", action="store_true", help="as qd spawn asks for it, which a template always is")
    parser.add_argument("--workspace", help="the folder to work in (the job's, the agent's, else this one)")
    parser.add_argument("--task", default="", help="what to do, in words")
    parser.add_argument("--model", help="which model, as the agent calls it, or ADAPTER/MODEL")
    parser.add_argument("--inject", action="append", metavar="FILES", help="the only files in it")
    parser.add_argument("--tools", action="append", metavar="TOOLS", help="the only tools that it may use")
    parser.add_argument(
        "--count", action="store_true", help="ask the provider, too, how many tokens it has (models over HTTP)"
    )
    parser.add_argument("--order", choices=("cost", "sent"), default="cost", help="the dearest first, or as it is sent")


def _context(context: Context) -> Output:
    config = load_strict(context.home)
    request = _request(context, config)
    picture = _picture(request, config, context.options.order)
    if context.options.count:
        composed = compose_request(request, _here(config), NOTHING_HELD, 0)
        told = counted_by_provider(context.home, composed, config)
        picture = msgspec.structs.replace(picture, counted=True, provider_tokens=told)
    return Output(_data(picture), _text(picture), ok=all(one["what"] == "agent" for one in picture.problems))


def _request(context: Context, config: Config) -> RunRequest:
    """As the run would be asked for, with its workspace."""
    options = context.options
    if options.job is not None and options.job not in config.job:
        raise NotFound(*no_such("job", options.job, config.job))
    request = RunRequest(
        workspace="",
        agent=_agent(options, config),
        model=options.model,
        inject=listed(options.inject) if options.inject else None,
        tools=names(options.tools),
        task_type=options.task_type,
        template=options.template,
        params=_params(options.param or []),
        job=options.job,
        task=options.task,
        trigger=_trigger(options),
    )
    return msgspec.structs.replace(request, workspace=_workspace(context, config, route(request, config).agent))


def _agent(options: argparse.Namespace, config: Config) -> str | None:
    """As `qd run` finds one; a job has its own."""
    return options.agent if options.job is not None else agent_named(options, config)


def _trigger(options: argparse.Namespace) -> Trigger:
    if options.job is not None:
        return "timer"
    return "spawn" if options.spawn or options.template is not None else "operator"


def _params(given: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    if wrong := [name for name, equals, _ in pairs if not equals or not name]:
        raise UsageError(f"qd context: --param {wrong[0]!a} has no value", "write it as NAME=VALUE")
    return {name: value for name, _, value in pairs}


def _workspace(context: Context, config: Config, agent: str) -> str:
    declared = config.job[context.options.job].workspace if context.options.job else None
    context.options.workspace = context.options.workspace or declared or config.agents[agent].workspace
    return context.workspace()


def _picture(request: RunRequest, config: Config, order: str) -> Picture:
    routed, workspace = route(request, config), Path(request.workspace)
    if not workspace.is_dir():
        raise NotFound(f"its workspace {workspace} is not a folder", "name one that exists")
    now = datetime.now(zone_of(config))
    named = words(routed, job=request.job, workspace=str(workspace), trigger=request.trigger, now=now)
    found = discover(skill_folders(os.environ, [str(workspace)], config.skills.folders))
    made = assemble(routed, config, workspace, named, found)
    parts = receipt_parts(made.prompt)
    dearest = tuple(sorted(parts, key=lambda part: -part.tokens))
    return Picture(
        route=routed,
        workspace=workspace,
        made=made,
        parts=dearest if order == "cost" else parts,
        warnings=prompt_warnings(routed, made.prompt, ()),
        unfit=tuple(_unfit(compose_request(request, _here(config), NOTHING_HELD, 0))),
    )


NOTHING_HELD = Held(0, (), ())
"""Neither claims nor skills: both are in the state, which is not looked at."""


def _here(config: Config) -> Config:
    """Where nobody has a workspace of their own: the one that is looked at is in the request."""
    jobs = {name: msgspec.structs.replace(job, workspace=None) for name, job in config.job.items()}
    agents = {name: msgspec.structs.replace(agent, workspace=None) for name, agent in config.agent.items()}
    return msgspec.structs.replace(config, job=jobs, agent=agents)


def _unfit(composed: Composed) -> Iterator[tuple[str, str, str]]:
    if composed.problem[0]:
        yield "agent", *composed.problem
    for problem in (*composed.scope.problems, *composed.read_scope.problems):
        yield "scope", problem, "name paths inside the workspace"
    for one in composed.inject_problems:
        yield one.name, one.why, one.fix
    routed = composed.route
    if not 0 < routed.timeout_s <= routed.timeout_max_s:
        longest = f"{say(routed.timeout_max_s)} for {routed.task_type}"
        yield "timeout", f"{say(routed.timeout_s)}, where at most {longest} are allowed", "give a shorter one"


def _data(picture: Picture) -> dict[str, Any]:
    routed = picture.route
    return {
        "workspace": str(picture.workspace),
        "parts": [msgspec.structs.asdict(part) for part in picture.parts],
        "tokens": picture.tokens,
        "chars": picture.made.prompt.chars,
        "provider_tokens": picture.provider_tokens,
        "everything_tokens": picture.made.everything_tokens,
        "everything": [msgspec.structs.asdict(piece) for piece in picture.made.everything],
        "saved_tokens": picture.saved,
        "saved_percent": picture.saved_percent,
        "target_tokens": routed.target_tokens,
        "over_target_tokens": picture.over_target,
        "limit_tokens": routed.injected_tokens,
        "over_limit_tokens": picture.over_limit,
        "route": {key: value for key, value in msgspec.structs.asdict(routed).items() if key != "decided"},
        "decided": routed.decided,
        "warnings": list(picture.warnings),
        "problems": picture.problems,
    }


def _text(picture: Picture) -> str:
    blocks = [_parts(picture), _sums(picture), _levels(picture.route)]
    blocks.append("\n".join(f"note  {warning}" for warning in picture.warnings))
    blocks.append("\n".join(f"NO    {one['what']}: {one['why']}; {one['fix']}" for one in picture.problems))
    return "\n\n".join(block for block in blocks if block)


def _parts(picture: Picture) -> str:
    """With sources cut from their left where the terminal is narrow: the end of a path tells more."""
    widest = max((len(part.source) for part in picture.parts), default=0)
    made = _parts_table(picture, widest)
    over = max(map(len, made.splitlines())) - (page().width or 10**6)
    return made if over <= 0 else _parts_table(picture, max(_SOURCE_LEAST, widest - over))


def _parts_table(picture: Picture, most: int) -> str:
    rows: list[tuple[object, ...]] = [
        (part.kind, _cut(part.source, most), f"{part.chars:,}", f"{part.tokens:,}", "yes" if part.stable else "no")
        for part in picture.parts
    ]
    rows.append(("total", "", f"{picture.made.prompt.chars:,}", f"{picture.tokens:,}", ""))
    return table(("part", "source", "chars", "tokens", "stable"), rows, right=(2, 3))


def _cut(source: str, most: int) -> str:
    return source if len(source) <= most else "…" + source[len(source) - most + 1 :]


def _sums(picture: Picture) -> str:
    whole, level = picture.made.everything_tokens, picture.route.decided
    rows = [("everything", f"{whole:,}", _saving(picture))]
    if picture.counted:
        told = picture.provider_tokens
        how = "with what the adapter adds" if told is not None else "it does not count"
        rows.append(("provider", "?" if told is None else f"{told:,}", how))
    if picture.over_target is not None:
        rows.append(
            ("target", f"{picture.route.target_tokens:,}", _excess(picture.over_target, level["target_tokens"]))
        )
    rows.append(("limit", f"{picture.route.injected_tokens:,}", _excess(picture.over_limit, level["injected_tokens"])))
    return table(("against", "tokens", ""), rows, right=(1,))


def _saving(picture: Picture) -> str:
    if picture.saved <= 0:
        return "nothing is saved"
    return f"{picture.saved:,} saved ({picture.saved_percent} %)"


def _excess(over: int, level: str) -> str:
    return f"{over:,} over, by {level}" if over else f"kept, by {level}"


def _levels(routed: Route) -> str:
    rows = [(declared_key(key), _said(routed, key), level) for key, level in routed.decided.items()]
    return table(("value", "is", "decided by"), [(key, _cut_end(value), level) for key, value, level in rows])


def _said(routed: Route, key: str) -> str:
    value = getattr(routed, key)
    if value is None or value == "":
        return "-"
    if key.endswith("_s"):
        return say(value)
    if key.endswith("_microusd"):
        return dollars(value)
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "nothing"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _cut_end(text: str, most: int = 40) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


CONTEXT = Verb(_arguments, _context)
