"""What do the fields of the spawn sheet ask for? And what holds where one is empty, by which level?"""

import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args

from engine.config.durations import say, seconds
from engine.config.model import NO_SKILLS, Config, Param
from engine.context.routing import route
from engine.contract.orders import RunRequest
from engine.contract.route import Keep, Permissions, Read, Route, SandboxMode
from state.errors import QuarterdeckError, Refused
from tui.screens.budget_sheet import parse_tokens, parse_usd
from tui.text import money, tokens
from tui.widgets.cells import Cell

Amount = TypeVar("Amount", int, float)

NOTHING = "none"
"""In `inject` and `tools`: none of them, rather than as the next level says."""
UNSAID = "-"
"""In `limits`: this one as the next level says."""
MOST_TURNS = 10**6
_STOPS = ("stop turns", "stop tokens", "stop usd")
_DIGITS = 9
_KINDS = {"skills": "skill set"}
_FIELD_OF = {
    "agent": "agent",
    "task_type": "task type",
    "model": "model",
    "inject": "inject",
    "skills": "skills",
    "tools": "tools",
    "can_read": "can read",
    "can_write": "can write",
    "timeout_s": "timeout",
    "permissions": "permissions",
    "sandbox": "sandbox",
    "read": "read",
    "silence_s": "silence",
    "fallback": "fallback",
    "keep": "keep",
    "stop_turns": "stop turns",
    "stop_tokens": "stop tokens",
    "stop_microusd": "stop usd",
}
"""Value of the route to the field that says it."""


def request_of(values: Mapping[str, str]) -> RunRequest:
    """Raises Refused, with the field's name before what is wrong with it."""
    injected, total, usd = _limits(values["limits"])
    return RunRequest(
        workspace=_folder(values["workspace"]),
        agent=values["agent"] or None,
        template=values["template"] or None,
        params=_params(values["params"]),
        task_type=values["task type"] or None,
        model=values["model"] or None,
        task=values["task"],
        inject=_names(values["inject"]),
        tools=_names(values["tools"].replace(",", " ")),
        skills=values["skills"] or None,
        can_read=tuple(values["can read"].split()),
        can_write=tuple(values["can write"].split()),
        timeout_s=_duration("timeout", values["timeout"]),
        **_rarely(values),
        injected_tokens=injected,
        run_tokens=total,
        run_usd=usd,
        argv=tuple(_split("program", values["program"])),
        trigger="spawn",
        lane="isolated",
    )


def wrong_fields(values: Mapping[str, str], config: Config) -> list[tuple[str, str, str]]:
    """Every field that makes no sense or names what there is not, with what is wrong and what to do."""
    found: list[tuple[str, str, str]] = []
    for name in (name for name, value in values.items() if value):
        try:
            request_of(dict.fromkeys(values, "") | {name: values[name]})
        except Refused as error:
            found.append((*blamed(str(error), values), error.fix))
    known: dict[str, Collection[str]] = {
        "agent": config.agents,
        "template": config.template,
        "task type": config.task_types,
        "skills": (NO_SKILLS, *config.skill_set),
    }
    for name, names in known.items():
        if values[name] and values[name] not in names:
            found.append(
                (name, f"there is no {_KINDS.get(name, name)} '{values[name]}'", _nearest(values[name], names))
            )
    return found


def _nearest(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(known) or 'none'}"


def _rarely(values: Mapping[str, str]) -> dict[str, Any]:
    """What the folded fields say."""
    return {
        "permissions": _one_of("permissions", values["permissions"], Permissions),
        "sandbox": _one_of("sandbox", values["sandbox"], SandboxMode),
        "read": _one_of("read", values["read"], Read),
        "silence_s": _duration("silence", values["silence"]),
        "fallback": _names(values["fallback"].replace(",", " ")),
        "keep": _kept(values["keep"]),
        "grace_s": _duration("grace", values["grace"]),
        "stop_turns": _turns(values["stop turns"]),
        "stop_tokens": _amount("stop tokens", values["stop tokens"], parse_tokens),
        "stop_usd": _amount("stop usd", values["stop usd"], parse_usd),
    }


def folded_words(values: Mapping[str, str], hints: Mapping[str, str], names: Sequence[str]) -> Cell:
    """What holds of these fields in one line, without the levels: what stands in them, what is decided, what is not."""
    typed: Cell = tuple((f"{name} {values[name]}, ", "accent") for name in names if values[name])
    holding = {name: hints[name].rpartition(" (")[0] for name in names if not values[name] and name in hints}
    said = [f"{name} {word}" for name, word in holding.items() if word != NOTHING]
    without = [name for name, word in holding.items() if word == NOTHING]
    if set(_STOPS) <= set(without):
        without = [*(name for name in without if name not in _STOPS), "stops"]
    said += [f"no {', '.join(without)}"] if without else []
    return (*typed, (", ".join(said), "dim"))


def holds(request: RunRequest, config: Config, decided: Mapping[str, str]) -> dict[str, str]:
    """What each empty field amounts to and who says so, as `5 min (task type)`. `decided` is the engine's word on that.

    Empty when the request leads nowhere: then the engine has said why.
    """
    try:
        found = route(request, config)
    except QuarterdeckError:
        return {}
    words = _words(found)
    hints = {field: f"{words[name]} ({decided.get(name, '?')})" for name, field in _FIELD_OF.items()}
    hints["grace"] = f"{say(config.grace_s)} (limits)"
    said = (("injected_tokens", "injected"), ("run_tokens", "in all"), ("run_microusd", ""))
    limits = [f"{words[name]} {what}".strip() + f" ({decided.get(name, '?')})" for name, what in said]
    return hints | {"limits": ", ".join(limits), "params": params_hint(request.template, config)}


def params_hint(template: str | None, config: Config) -> str:
    """`file (a path), lines (a number, else 20)`: what the template wants; empty without one."""
    if template is None or template not in config.template:
        return ""
    return ", ".join(_param(name, param) for name, param in config.template[template].params.items()) or "it has none"


def blamed(line: str, values: Mapping[str, str]) -> tuple[str, str]:
    """Which field a complaint is about, and what it says of it; `request` where none can be told."""
    name, colon, rest = line.partition(": ")
    if colon and name in values:
        return name, rest
    said = [field for field, value in values.items() if value and f"{field} '{value}'" in line]
    if not said and line.startswith(("template ", "parameter")):
        said = ["params"]
    return said[0] if said else "request", line


def _param(name: str, param: Param) -> str:
    return f"{name}=({param.type})" if param.default is None else f"{name}=({param.type}, else {param.default})"


def _words(found: Route) -> dict[str, str]:
    return {
        "agent": found.agent,
        "task_type": found.task_type,
        "model": found.model or "the agent's own",
        "inject": " ".join(found.inject) or "nothing",
        "skills": found.skills,
        "tools": "the agent's own" if found.tools is None else " ".join(found.tools) or "none",
        "can_read": " ".join(found.can_read) or "anywhere in it",
        "can_write": " ".join(found.can_write) or "nothing",
        "timeout_s": say(found.timeout_s),
        "injected_tokens": tokens(found.injected_tokens),
        "run_tokens": tokens(found.run_tokens),
        "run_microusd": "no $ limit" if found.run_microusd is None else money(found.run_microusd, short=False),
        "permissions": found.permissions,
        "sandbox": found.sandbox,
        "read": found.read,
        "silence_s": "none" if found.silence_s is None else say(found.silence_s),
        "fallback": " ".join(found.fallback) or "none",
        "keep": "all" if found.keep is None else " ".join(found.keep) or "none",
        "stop_turns": "none" if found.stop_turns is None else f"{found.stop_turns:,}",
        "stop_tokens": "none" if found.stop_tokens is None else tokens(found.stop_tokens),
        "stop_microusd": "none" if found.stop_microusd is None else money(found.stop_microusd, short=False),
    }


def _names(text: str) -> tuple[str, ...] | None:
    """None for an empty field, and an empty list for the word `none`."""
    return () if text == NOTHING else tuple(text.split()) or None


def _params(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in _split("params", text):
        key, sign, value = word.partition("=")
        if not key or not sign:
            raise Refused(f"params: '{word}' gives nothing a value", "write key=value, and quote a value with blanks")
        found[key] = value
    return found


def _limits(text: str) -> tuple[int | None, int | None, float | None]:
    """Tokens of the prompt, tokens of the run, dollars: `500 20k $0.10`, `- 20k`, `$0.10`."""
    usd: float | None = None
    counts: list[int | None] = []
    try:
        for word in text.split():
            if word.startswith("$"):
                usd = parse_usd(word)
            else:
                counts.append(None if word == UNSAID else parse_tokens(word))
    except ValueError as error:
        raise Refused(f"limits: {error}") from None
    if len(counts) > 2:
        raise Refused("limits: too many numbers", "write those of the prompt, of the run, and dollars: 500 20k $0.10")
    injected, total = [*counts, None, None][:2]
    return injected, total, usd


def _folder(text: str) -> str:
    try:
        return str(Path(text or ".").expanduser().absolute())
    except RuntimeError as error:
        raise Refused(f"workspace: {error}", "give its full path") from None


def _duration(name: str, text: str) -> float | None:
    try:
        return seconds(text) if text else None
    except ValueError as error:
        raise Refused(f"{name}: {error}") from None


def _amount(name: str, text: str, parse: Callable[[str], Amount]) -> Amount | None:
    try:
        return parse(text) if text else None
    except ValueError as error:
        raise Refused(f"{name}: {error}") from None


def _turns(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:_DIGITS]) <= MOST_TURNS:
        raise Refused(f"stop turns: '{text}' is no number of turns", f"write one from 1 to {MOST_TURNS:,}")
    return int(text)


def _one_of(name: str, text: str, known: Any) -> Any:
    """One of these words, or None. `known` is a Literal."""
    if text and text not in get_args(known):
        raise Refused(f"{name}: '{text}' is none of them", f"write {', '.join(get_args(known))}")
    return text or None


def _kept(text: str) -> tuple[Keep, ...] | None:
    named = _names(text.replace(",", " "))
    return None if named is None else tuple(_one_of("keep", name, Keep) for name in named)


def _split(name: str, text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise Refused(f"{name}: {error}", "close the quotation") from None
