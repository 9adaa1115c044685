"""Which rules must a decoded `quarterdeck.toml` meet, that the type of a single key cannot say?"""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import get_args

import msgspec
from msgspec import Struct

from engine.config.durations import say, seconds
from engine.config.model import NO_SKILLS, AdapterDefaults, AdapterName, Config, Param, Template
from engine.config.params import PLACEHOLDER, misfit, names_in, paths_of
from engine.config.routed import SHIPPED, Routed, TaskType

DEAREST = 10_000
"""Dollars per million tokens: what is above is not a price in this unit."""
WIDEST_CONTEXT = 10**9
"""Tokens."""
MOST_USD = 1_000_000
"""What is above is no limit but a slip of the pen."""
MOST_TOKENS = 10**15
"""The same in tokens."""
MOST_COUNT = 10**4
"""The same for runs and turns."""
FASTEST_S, SLOWEST_S = 0.05, 60.0
"""A console paints no more often than an eye can see, and is alive once a minute."""
ADAPTERS: tuple[str, ...] = get_args(AdapterName)

Keys = tuple[str, ...]
"""Where something stands: keys from the top of the tree."""


class Problem(Struct, frozen=True):
    """Something wrong at one place of the tree."""

    path: Keys
    text: str
    fix: str = ""


Check = Callable[[Config], Iterable[Problem]]
"""A rule that a decoded configuration must meet; rooms that know more than this one hand theirs in."""


def durations(config: Config) -> Iterator[Problem]:
    """Every key that is a length of time."""
    named: list[tuple[Keys, str | None]] = [
        (("engine", "idle_exit"), config.engine.idle_exit),
        (("limits", "timeout_max"), config.limits.timeout_max),
        (("limits", "grace"), config.limits.grace),
        (("waiting", "approval"), config.waiting.approval),
        (("waiting", "room"), config.waiting.room),
        (("console", "refresh"), config.console.refresh),
        *(((*path, "timeout"), entry.timeout) for path, entry in _routed(config)),
        *(((*path, "silence"), entry.silence) for path, entry in _routed(config)),
        *((("adapter", name, "idle"), one.idle) for name, one in config.adapter.items()),
        *((("task_type", name, "timeout_max"), one.timeout_max) for name, one in config.task_type.items()),
        *((("job", name, "every"), job.every) for name, job in config.job.items()),
    ]
    for path, text in named:
        if text is not None:
            try:
                if seconds(text) <= 0:
                    yield Problem(path, "must be more than zero")
            except ValueError as error:
                yield Problem(path, str(error))
    for path, entry in _routed(config):
        try:
            seconds(entry.linger or "0s")
        except ValueError as error:
            yield Problem((*path, "linger"), str(error))


def refresh(config: Config) -> Iterator[Problem]:
    """How often a console paints."""
    try:
        every_s = seconds(config.console.refresh)
    except ValueError:
        return  # said by `durations`
    if not FASTEST_S <= every_s <= SLOWEST_S:
        yield Problem(("console", "refresh"), f"must be from {say(FASTEST_S)} to {say(SLOWEST_S)}")


def amounts(config: Config) -> Iterator[Problem]:
    """Tokens, dollars and counts that can mean something."""
    limits = config.limits
    yield from _within(("engine",), {"max_runs": config.engine.max_runs}, 1, MOST_COUNT)
    tokens = ("injected_tokens", "file_tokens", "run_tokens")
    yield from _within(("limits",), {key: getattr(limits, key) for key in tokens}, 1, MOST_TOKENS)
    yield from _within(("limits",), {"output_tokens": limits.output_tokens}, 1, WIDEST_CONTEXT)
    yield from _within(("limits",), {"depth": limits.depth, "children": limits.children}, 0, MOST_COUNT)
    yield from _money(("limits", "run_usd"), limits.run_usd)
    for path, entry in _routed(config):
        keys = ("target_tokens", "injected_tokens", "run_tokens", "stop_turns", "stop_tokens")
        yield from _within(path, {key: getattr(entry, key) for key in keys}, 1, MOST_TOKENS)
        yield from _money((*path, "run_usd"), entry.run_usd)
        yield from _money((*path, "stop_usd"), entry.stop_usd)
    for name, agent in config.agent.items():
        yield from _within(("agent", name), {"max_runs": agent.max_runs}, 1, MOST_COUNT)
    for name, adapter in config.adapter.items():
        path = ("adapter", name)
        yield from _within(path, {"overhead_tokens": adapter.overhead_tokens}, 0, WIDEST_CONTEXT)
        yield from _within(path, {"output_tokens": adapter.output_tokens}, 1, WIDEST_CONTEXT)
        yield from _within(path, {"turns": adapter.turns}, 1, MOST_COUNT)


def agents(config: Config) -> Iterator[Problem]:
    """What an agent's adapter needs and takes."""
    for name, agent in config.agent.items():
        if agent.adapter in PROGRAMS and not agent.argv:
            why = f"the {agent.adapter} adapter needs argv"
            yield Problem(("agent", name), why, 'add argv = ["program", "argument"]')
        for key, adapters in _TAKEN_BY.items():
            if getattr(agent, key) and agent.adapter not in adapters:
                why = f"the {agent.adapter} adapter takes none"
                yield Problem(("agent", name, key), why, f"leave it out; it is for {', '.join(adapters)}")


def adapters(config: Config) -> Iterator[Problem]:
    """What an adapter takes."""
    usual = AdapterDefaults()
    for name, declared in config.adapter.items():
        for key, takers in _DECLARED_OF.items():
            if name in ADAPTERS and name not in takers and getattr(declared, key) != getattr(usual, key):
                why, fix = f"the {name} adapter takes none", f"leave it out; it is for {', '.join(takers)}"
                yield Problem(("adapter", name, key), why, fix)


def models(config: Config) -> Iterator[Problem]:
    """Models whose names ask for an adapter that there is not."""
    for path, entry in _routed(config):
        whose = config.agents.get(getattr(entry, "agent", None) or "")
        speaks = getattr(entry, "adapter", None) or (whose.adapter if whose else None)
        named = [("model", entry.model), *(("fallback", model) for model in entry.fallback or ())]
        for key, model in named:
            if model is not None and (problem := no_model(model, speaks))[0]:
                yield Problem((*path, key), *problem)


def no_model(model: str, speaks: str | None) -> tuple[str, str]:
    """Why this cannot be the name of a model, and what to do; empty when it can. `speaks`: the adapter of the agent
    that is to use it, None where that is not known.

    The models of many have slashes in their names themselves, so that a first word which is no adapter's may be right;
    not one that is nearly an adapter's. Claude's have none, and `digest` has no models at all.
    """
    if not model.strip():
        return "the name of a model is empty", "name one as ADAPTER/MODEL"
    named, slash, rest = model.partition("/")
    if not slash or speaks in PROGRAMS:
        return "", ""
    if named in ADAPTERS:
        return ("", "") if rest.strip() else (f"'{model}' names no model", f"write {named}/MODEL, or {named} alone")
    near = difflib.get_close_matches(named.lower().replace("-", "_"), ADAPTERS, n=1, cutoff=_NEARLY)
    if not near and (speaks not in _NO_SLASHES or not _WORD.fullmatch(named)):
        return "", ""
    known = f"known: {', '.join(ADAPTERS)}"
    return (
        f"there is no adapter '{named}' for the model {model}",
        f"did you mean '{near[0]}'? {known}" if near else known,
    )


_NEARLY = 0.82
"""How alike words are that differ by a slip: `openia` is `openai`, `codellama` is not `ollama`."""
_NO_SLASHES = ("claude_code", "digest")
_WORD = re.compile(r"[A-Za-z0-9_-]+")
PROGRAMS = ("command", "acp")
"""Adapters whose program the operator names."""
_TAKEN_BY: dict[str, tuple[str, ...]] = {
    "argv": PROGRAMS,
    "argv_resume": ("command",),
    "state": PROGRAMS,
    "home": ("claude_code", "codex"),
    "base_url": ("anthropic", "openai", "ollama"),
    "key": ("claude_code", "codex", "anthropic", "openai", "ollama"),
}
_DECLARED_OF: dict[str, tuple[str, ...]] = {
    "program": ("claude_code", "codex"),
    "base_url": _TAKEN_BY["base_url"],
    "key": _TAKEN_BY["key"],
    "api": ("openai",),
    "idle": _TAKEN_BY["base_url"],
}


def services(config: Config) -> Iterator[Problem]:
    """Keys are references, never values; servers have addresses."""
    referred: list[tuple[Keys, str | None]] = [
        *((("adapter", name, "key"), one.key) for name, one in config.adapter.items()),
        *((("agent", name, "key"), one.key) for name, one in config.agent.items()),
        *(
            (("agent", name, "secrets", key), value)
            for name, one in config.agent.items()
            for key, value in one.secrets.items()
        ),
    ]
    for path, reference in referred:
        if reference is not None and not REFERENCE.fullmatch(reference):
            yield Problem(path, "must be a reference, not a value", "write env:NAME, file:/path or cmd:program")
    for section in ("adapter", "agent"):
        for name, entry in getattr(config, section).items():
            if entry.base_url is not None and not entry.base_url.startswith(("http://", "https://")):
                yield Problem((section, name, "base_url"), "is no address", "begin it with https:// or http://")


REFERENCE = re.compile(r"(env:[A-Za-z_][A-Za-z0-9_]*|file:(/|~/).+|cmd:.+)", re.DOTALL)


def references(config: Config) -> Iterator[Problem]:
    """Names that must lead somewhere."""
    sets = (NO_SKILLS, *config.skill_set)
    for path, entry in _routed(config):
        yield from _named((*path, "skills"), "skill set", entry.skills, sets)
        yield from _named((*path, "task_type"), "task type", getattr(entry, "task_type", None), config.task_types)
        yield from _named((*path, "agent"), "agent", getattr(entry, "agent", None), config.agents)
    for name, adapter in config.adapter.items():
        yield from _named(("adapter", name), "adapter", name, ADAPTERS)
        yield from _named(("adapter", name, "skills"), "skill set", adapter.skills, sets)
    if NO_SKILLS in config.skill_set:
        yield Problem(("skill_set", NO_SKILLS), "this is the name of the empty set", "call it something else")


def task_types(config: Config) -> Iterator[Problem]:
    for name, one in config.task_type.items():
        if name not in SHIPPED and one.timeout is None:
            yield Problem(("task_type", name), "a task type of your own needs a timeout", 'for instance timeout = "5m"')


def templates(config: Config) -> Iterator[Problem]:
    """Every parameter can be filled in, stands somewhere, and cannot put blanks into a path."""
    for name, template in config.template.items():
        in_paths = names_in(paths_of(template))
        for unknown in sorted(in_paths - set(template.params)):
            key = next(key for key in ("inject", "can_read", "can_write") if f"{{{unknown}}}" in _joined(template, key))
            fix = f"declare it: [template.{name}.params.{unknown}]"
            yield Problem(("template", name, key), f"'{unknown}' is no parameter of this template", fix)
        for key, param in template.params.items():
            yield from _parameter(("template", name, "params", key), key, param, template, key in in_paths)


def _parameter(path: Keys, key: str, param: Param, template: Template, in_path: bool) -> Iterator[Problem]:
    if not PLACEHOLDER.fullmatch(f"{{{key}}}"):
        yield Problem(path, "a parameter's name has letters, digits, - and _ only")
    elif not in_path and key not in names_in((template.task,)):
        yield Problem(path, "this parameter is used nowhere", f"write {{{key}}} where its value is to stand")
    elif in_path and param.type == "text":
        yield Problem(path, "a text cannot be part of a path", 'give it type = "path", "word" or "number"')
    elif param.default is not None and (why := misfit(param, param.default, in_path)):
        yield Problem((*path, "default"), f"does not suit its type: {why}")


def budgets(config: Config) -> Iterator[Problem]:
    for name, budget in config.budget.items():
        path = ("budget", name)
        if budget.tokens is None and budget.usd is None:
            yield Problem(path, "needs tokens, usd or both", "for instance tokens = 60000")
        if budget.tokens is not None and budget.tokens < 0:
            yield Problem((*path, "tokens"), "must not be negative")
        yield from _within(path, {"tokens": budget.tokens}, 0, MOST_TOKENS)
        yield from _money((*path, "usd"), budget.usd)
        if not 0 < budget.warn_at <= 1:
            yield Problem((*path, "warn_at"), "must be above 0 and at most 1")
        yield from _named((*path, "agent"), "agent", budget.agent, config.agents)
        yield from _named((*path, "job"), "job", budget.job, config.job)
        yield from _named((*path, "task_type"), "task type", budget.task_type, config.task_types)


def jobs(config: Config) -> Iterator[Problem]:
    for name, job in config.job.items():
        if (job.every is None) == (job.cron is None):
            yield Problem(("job", name), "needs exactly one of every and cron", 'for instance every = "10m"')
        agent = config.agents[job.agent]
        if agent.adapter == "command" and (job.workspace or agent.workspace) is None:
            why = f"neither this job nor its agent {job.agent} names a workspace: all of your home folder would be one"
            yield Problem(("job", name), why, 'for instance workspace = "~/notes"')


def timeouts(config: Config) -> Iterator[Problem]:
    """Every declared timeout can be allowed by the task type of its runs, where that is known, else by any."""
    for name, own in config.task_type.items():
        yield from _too_long(("task_type", name), own.timeout, config, name)
        yield from _shipped_too_long(name, own, config)
    for name, template in config.template.items():
        known = template.task_type or (config.agents[template.agent].task_type if template.agent else None)
        yield from _too_long(("template", name), template.timeout, config, known)
    for name, agent in config.agent.items():
        yield from _too_long(("agent", name), agent.timeout, config, agent.task_type)
    for name, job in config.job.items():
        agent = config.agents[job.agent]
        whose = "" if job.timeout else f", as its agent {job.agent} says,"
        kind = job.task_type or agent.task_type or "cron"
        yield from _too_long(("job", name), job.timeout or agent.timeout, config, kind, whose)


def _too_long(path: Keys, timeout: str | None, config: Config, kind: str | None, whose: str = "") -> Iterator[Problem]:
    """`kind`: None where any task type may come to be asked for."""
    kinds = config.task_types if kind is None else (kind,)
    longest = max((_longest(config, one) for one in kinds), key=seconds)
    if timeout is not None and seconds(timeout) > seconds(longest):
        most = f"the maximum of {say(seconds(longest))} for {kind or 'any task type'}"
        fix = f"give at most {longest}, or raise {_where_longest(config, kind)}"
        yield Problem((*path, "timeout"), f"{say(seconds(timeout))}{whose} is over {most}", fix)


def _shipped_too_long(name: str, own: TaskType, config: Config) -> Iterator[Problem]:
    """A shipped task type whose maximum is declared, and whose timeout is the shipped one still."""
    if name not in SHIPPED or own.timeout is not None or own.timeout_max is None:
        return
    given = min(SHIPPED[name].timeout or own.timeout_max, config.limits.timeout_max, key=seconds)
    if seconds(given) > seconds(own.timeout_max):
        why = f"is below the timeout of this task type, {say(seconds(given))}"
        yield Problem(("task_type", name, "timeout_max"), why, f'give it a timeout, too: timeout = "{own.timeout_max}"')


def _longest(config: Config, kind: str) -> str:
    """The longest timeout that a run of this task type may ask for."""
    return config.task_types[kind].timeout_max or config.limits.timeout_max


def _where_longest(config: Config, kind: str | None) -> str:
    """The key that says how long a run may take at most."""
    own = kind is not None and config.task_types[kind].timeout_max is not None
    return f"task_type.{kind}.timeout_max" if own else "limits.timeout_max"


def prices(config: Config) -> Iterator[Problem]:
    for name, price in config.prices.items():
        for key, value in msgspec.structs.asdict(price).items():
            if key == "context_window":
                if value is not None and not 0 < value <= WIDEST_CONTEXT:
                    yield Problem(("prices", name, key), f"must be from 1 to {WIDEST_CONTEXT:,}", "in tokens")
            elif value is not None and not 0 <= value <= DEAREST:
                yield Problem(("prices", name, key), f"must be from 0 to {DEAREST:,}", "dollars per million tokens")


def no_such(kind: str, name: str, known: Iterable[str]) -> tuple[str, str]:
    """What to say of a name that leads nowhere, and the nearest that does."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    return (
        f"there is no {kind} '{name}'",
        f"did you mean '{near[0]}'?" if near else f"known: {', '.join(names) or 'none'}",
    )


def _routed(config: Config) -> Iterator[tuple[Keys, Routed]]:
    """Every entry that may say how a run is routed, and where it stands."""
    sections: dict[str, Mapping[str, Routed]] = {
        "task_type": config.task_type,
        "template": config.template,
        "agent": config.agent,
        "job": config.job,
    }
    for section, entries in sections.items():
        for name, entry in entries.items():
            yield (section, name), entry


def _named(path: Keys, kind: str, name: str | None, known: Iterable[str]) -> Iterator[Problem]:
    if name is not None and name not in known:
        yield Problem(path, *no_such(kind, name, known))


def _within(path: Keys, values: Mapping[str, int | None], least: int, most: int) -> Iterator[Problem]:
    for key, value in values.items():
        if value is not None and value < least:
            yield Problem((*path, key), f"must be at least {least}")
        if value is not None and value > most:
            yield Problem((*path, key), f"must be at most {most:,}")


def _money(path: Keys, usd: float | None) -> Iterator[Problem]:
    if usd is not None and not 0 <= usd <= MOST_USD:
        yield Problem(path, f"must be from 0 to {MOST_USD:,}", "in dollars")


def _joined(template: Template, key: str) -> str:
    return "\n".join(getattr(template, key) or ())


RULES: tuple[Check, ...] = (
    durations,
    refresh,
    amounts,
    task_types,
    agents,
    adapters,
    models,
    services,
    references,
    templates,
    budgets,
    jobs,
    timeouts,
    prices,
)
"""In this order: a later one may take for granted what an earlier one has found good."""
