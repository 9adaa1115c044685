"""How is a run asked for from the command line? Every option that says something of a run is declared here, once."""

import argparse
import os
from collections.abc import Callable, Mapping
from typing import Any, get_args

import msgspec

from engine.config.model import Config
from engine.config.rules import ADAPTERS, no_such
from engine.context.routing import split_model
from engine.contract.orders import RunRequest, Trigger
from engine.contract.route import Keep, Permissions, Read, SandboxMode
from state.errors import NotFound, Refused, UsageError
from tui.cli.amounts import LAST_NUMBER, dollars, duration, parameter, some_tokens, some_turns
from tui.cli.verb import Context, listed

PARENT = "QUARTERDECK_RUN"
"""In the environment of every run: what a run asks for is its child."""
NOTHING = "none"
"""How a list is said to be empty."""
_MOST_DIGITS = len(str(LAST_NUMBER))
_SHOWN = 30


def request_arguments(parser: argparse.ArgumentParser) -> None:
    """What every way to ask for a run takes."""
    parser.add_argument(
        "--agent", help="who does it; each adapter's name is one, acp apart (the template's, else digest)"
    )
    parser.add_argument("--adapter", metavar="NAME", help=f"an agent of this adapter: {', '.join(ADAPTERS)}")
    parser.add_argument("--template", help="a declared template: what it says holds where you say nothing")
    parser.add_argument(
        "--param", action="append", type=parameter, metavar="NAME=VALUE", help="fills in the template; repeat it"
    )
    parser.add_argument("--task", default="", help="what to do, in words")
    parser.add_argument("--task-type", help="what kind of work it is, as qd task-types lists them")
    parser.add_argument("--model", help="which model, as the agent calls it, or ADAPTER/MODEL, like claude_code/haiku")
    parser.add_argument("--workspace", help="the folder to work in (this one)")
    parser.add_argument("--can-read", action="append", metavar="PATHS", help="injected files must lie within these")
    parser.add_argument("--timeout", type=duration, help="how long it may take, like 60s or 10m")
    parser.add_argument("--grace", type=duration, help="how long it may take to end when it is told to, like 1s")
    routed_arguments(parser, duration)
    parser.add_argument("--wait", action="store_true", help="wait for a claim or a free place, be not refused for it")
    parser.add_argument("--detach", action="store_true", help="do not wait for the end")
    parser.add_argument("argv", nargs="*", metavar="-- PROGRAM ARGUMENTS", help="for the command agent")


def routed_arguments(parser: argparse.ArgumentParser, time: Callable[[str], Any]) -> None:
    """What a job may be told, too. `time` reads a duration."""
    parser.add_argument("--tools", action="append", metavar="TOOLS", help="the only tools that it may use")
    parser.add_argument("--skills", metavar="SET", help="the skill set that it is allowed; none is the empty one")
    parser.add_argument(
        "--inject", "--inject-only", action="append", metavar="FILES", help="the only files in its prompt"
    )
    parser.add_argument("--can-write", action="append", metavar="PATHS", help="what it may write")
    parser.add_argument(
        "--fallback", action="append", metavar="MODELS", help="go to these when the model cannot be reached; repeat it"
    )
    parser.add_argument(
        "--keep",
        action="append",
        type=kept,
        metavar="PARTS",
        help=f"what its own program may add to the prompt: {', '.join(get_args(Keep))}, or none",
    )
    parser.add_argument("--permissions", choices=get_args(Permissions), help="what happens when it wants to do more")
    parser.add_argument("--sandbox", choices=get_args(SandboxMode), help="whether the kernel holds it to its scope")
    parser.add_argument("--read", choices=get_args(Read), help="what it may read: all that you may, or its workspace")
    parser.add_argument("--silence", type=time, metavar="TIME", help="end it when it puts nothing out for so long")
    _limit_arguments(parser)


def _limit_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-injected", type=some_tokens, metavar="N", help="tokens that its prompt may have, like 2k"
    )
    parser.add_argument("--max-tokens", type=some_tokens, metavar="N", help="tokens that it may be expected to use")
    parser.add_argument("--max-usd", type=dollars, metavar="X", help="dollars that it may be expected to cost")
    parser.add_argument("--stop-turns", type=some_turns, metavar="N", help="end it when it asks its model more often")
    parser.add_argument("--stop-tokens", type=some_tokens, metavar="N", help="end it when it has used more tokens")
    parser.add_argument("--stop-usd", type=dollars, metavar="X", help="end it when it has cost more dollars")


def kept(text: str) -> str:
    """Parts that a program may add, or none."""
    for name in listed([text]):
        if name not in (NOTHING, *get_args(Keep)):
            known = ", ".join((*get_args(Keep), NOTHING))
            raise argparse.ArgumentTypeError(f"{name[:_SHOWN]!a} is no such part; known: {known}")
    return text


def routed_values(options: argparse.Namespace) -> dict[str, Any]:
    """What `routed_arguments` said, by the keys of the configuration; None where nothing was."""
    return {
        "tools": names(options.tools),
        "skills": options.skills,
        "inject": listed(options.inject) if options.inject else None,
        "can_write": listed(options.can_write) or None,
        "fallback": names(options.fallback),
        "keep": parts(options.keep),
        "permissions": options.permissions,
        "sandbox": options.sandbox,
        "read": options.read,
        "silence": options.silence,
        "injected_tokens": options.max_injected,
        "run_tokens": options.max_tokens,
        "run_usd": options.max_usd,
        "stop_turns": options.stop_turns,
        "stop_tokens": options.stop_tokens,
        "stop_usd": options.stop_usd,
    }


def names(said: list[str] | None) -> tuple[str, ...] | None:
    """Names as they were listed; `none` alone is an empty list."""
    found = listed(said) if said else None
    return () if found == (NOTHING,) else found


def parts(said: list[str] | None) -> tuple[Keep, ...] | None:
    """The same of what `kept` has read."""
    return msgspec.convert(names(said), tuple[Keep, ...] | None)


def request_of(context: Context, config: Config, trigger: Trigger, session_id: int | None = None) -> RunRequest:
    """What these options ask for. What they leave out is for the gate to route. Raises NotFound and Refused."""
    options = context.options
    said = routed_values(options)
    return RunRequest(
        workspace=context.workspace(),
        agent=agent_of(options, config),
        template=options.template,
        params=dict(options.param or ()),
        task_type=options.task_type,
        model=options.model,
        task=options.task,
        can_read=listed(options.can_read),
        can_write=said.pop("can_write") or (),
        timeout_s=options.timeout,
        grace_s=options.grace,
        silence_s=said.pop("silence"),
        argv=tuple(options.argv),
        trigger=trigger,
        session_id=session_id,
        parent_run_id=parent_of(os.environ),
        wait=options.wait,
        **said,
    )


def agent_of(options: argparse.Namespace, config: Config) -> str | None:
    """Who does it: the agent that is named, else that of the adapter that is, or that the model's name asks for. None:
    for the gate to route."""
    if options.adapter is not None:
        return _of_adapter(options.adapter, options.agent, options.model, config)
    if options.agent is None and options.argv:
        return None
    return agent_named(options, config)


def agent_named(options: argparse.Namespace, config: Config) -> str | None:
    """The agent that is named, else that of the adapter that the model's name asks for."""
    if options.agent is not None or options.template is not None:
        return str(options.agent) if options.agent is not None else None
    named = split_model(options.model, "digest")[0]
    return named if named in config.agents and config.agents[named].adapter == named else None


def _of_adapter(adapter: str, agent: str | None, model: str | None, config: Config) -> str:
    """An agent of this adapter. Raises NotFound and Refused."""
    if adapter not in ADAPTERS:
        raise NotFound(*no_such("adapter", adapter, ADAPTERS))
    if agent is not None and agent in config.agents and config.agents[agent].adapter != adapter:
        other = config.agents[agent].adapter
        raise Refused(f"agent '{agent}' is of adapter {other}, not of {adapter}", "leave one of the two out")
    asked = split_model(model, adapter)[0]
    if asked not in (None, adapter):
        raise Refused(f"the model {model} is for adapter {asked}, not for {adapter}", "leave out --adapter")
    own = [name for name, one in config.agents.items() if one.adapter == adapter]
    if agent is not None or adapter in own:
        return agent or adapter
    if len(own) != 1:
        said = f"name one: --agent {' or '.join(own)}" if own else "declare one as [agent.NAME], with its argv"
        raise Refused(f"no agent of adapter {adapter} is built in", said)
    return own[0]


def parent_of(environ: Mapping[str, str]) -> int | None:
    """The run that we were started by. Raises UsageError when that cannot be told."""
    told = environ.get(PARENT, "")
    if not told:
        return None
    digits = told.isascii() and told.isdigit() and len(told) <= _MOST_DIGITS
    if not digits or not 1 <= int(told) <= LAST_NUMBER:
        raise UsageError(f"qd: {PARENT} is {told[:_SHOWN]!a}, which is no run", f"unset {PARENT}")
    return int(told)


def needs_operator(environ: Mapping[str, str]) -> None:
    """Raises Refused for a run: what is asked of the operator is not for it to answer."""
    if environ.get(PARENT):
        raise Refused("an agent does not answer its own questions", "answer from your own shell")
