"""By what is a run routed? Each value comes from the nearest level that says it.

Nearest first: the spawn (whoever asks), its template, its job, its agent, the operator's entry for its task type, the
operator's entry for its adapter (skills only), and what is shipped: the rest of the task type, then `[limits]`. What an
operator wrote at any level thereby beats what is shipped, and a shipped task type allows no more than `[limits]` does.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from msgspec.structs import replace

from engine.config.durations import seconds
from engine.config.model import NO_SKILLS, Agent, Config, Job, Template
from engine.config.params import fill
from engine.config.routed import SHIPPED, Routed, TaskType
from engine.config.rules import ADAPTERS, MOST_USD, no_model, no_such
from engine.context.fill import fill_all, parameters
from engine.contract.orders import RunRequest
from engine.contract.route import Level, Route
from state.errors import NotFound, Refused

Entry = TypeVar("Entry")
Said = tuple[Any, Level]
"""A value, and the level that decided it."""
Levels = tuple[tuple[Level, Routed], ...]

_COMMON = (
    "model",
    "fallback",
    "inject",
    "tools",
    "keep",
    "skills",
    "permissions",
    "sandbox",
    "read",
    "target_tokens",
    "injected_tokens",
    "run_tokens",
    "stop_turns",
    "stop_tokens",
)
_TEMPLATES = ("bootstrap_template", "prompt_template")
_LIMITS = ("injected_tokens", "run_tokens", "run_usd", "stop_turns", "stop_tokens", "stop_usd")
_NO_JOB = Job()


def route(request: RunRequest, config: Config) -> Route:
    """Raises NotFound for a name that leads nowhere, Refused for a parameter or an amount that does not fit.

    A job that is not declared any more says nothing of its runs.
    """
    template, job = _template(request, config), config.job.get(request.job or "", _NO_JOB)
    name = _agent(request, template, job)
    agent = _known("agent", name[0], config.agents)
    kind = _task_type(request, template, job, agent)
    _known("task type", kind[0], config.task_types)
    levels = _levels(request, template, job, agent, kind[0], config)
    said = {"agent": name, "task_type": kind, "lane": _lane(request, job, kind[0], config)}
    said |= {key: _nearest(levels, key) for key in (*_COMMON, *_TEMPLATES, "run_usd", "stop_usd")}
    if request.parent_run_id is not None:
        said |= {key: _tightest(levels, key) for key in _LIMITS}
    said |= _times(request, levels, config.task_type.get(kind[0], TaskType()), config)
    said |= {"run_microusd": _microusd(said.pop("run_usd")), "stop_microusd": _microusd(said.pop("stop_usd"))}
    said |= _model(said["model"], said["fallback"][0], agent, name[1]) | {"task": _task(request, template, job)}
    said |= _scope(request, template, job)
    _known("skill set", said["skills"][0], config.skill_set | {NO_SKILLS: None})
    return Route(
        template=request.template,
        decided={key: level for key, (_, level) in said.items()},
        **{key: value for key, (value, _) in said.items()},
    )


def _template(request: RunRequest, config: Config) -> Template:
    """With its parameters filled in; an empty one where none is named."""
    if request.template is None:
        if request.params:
            raise Refused(f"parameters are given ({', '.join(request.params)}), but no template", "name the template")
        return Template()
    template = _known("template", request.template, config.template)
    values = parameters(request.template, template, request.params)
    return replace(
        template,
        task=fill(template.task, values),
        inject=None if template.inject is None else fill_all(template.inject, values),
        can_read=fill_all(template.can_read, values),
        can_write=fill_all(template.can_write, values),
    )


def _agent(request: RunRequest, template: Template, job: Job) -> Said:
    declared = None if job is _NO_JOB else job.agent
    program = "command" if request.argv else None
    return _first(
        ("spawn", request.agent),
        ("template", template.agent),
        ("job", declared),
        ("spawn", program),
        ("shipped", "digest"),
    )


def _task_type(request: RunRequest, template: Template, job: Job, agent: Agent) -> Said:
    return _first(
        ("spawn", request.task_type),
        ("template", template.task_type),
        ("job", job.task_type),
        ("agent", agent.task_type),
        ("shipped", _by_trigger(request)),
    )


def _by_trigger(request: RunRequest) -> str:
    """The task type of a run for which nobody says one. A job fired by hand is the job's all the same."""
    if request.trigger == "timer":
        return "cron"
    if request.trigger == "spawn" or request.template is not None:
        return "subagent"
    return "chat" if request.job is None else "cron"


def _levels(request: RunRequest, template: Template, job: Job, agent: Agent, kind: str, config: Config) -> Levels:
    spoken = Routed(
        model=request.model,
        fallback=request.fallback,
        inject=request.inject,
        tools=request.tools,
        keep=request.keep,
        skills=request.skills,
        permissions=request.permissions,
        sandbox=request.sandbox,
        read=request.read,
        silence=None if request.silence_s is None else f"{request.silence_s:.3f}s",
        injected_tokens=request.injected_tokens,
        run_tokens=request.run_tokens,
        run_usd=request.run_usd,
        stop_turns=request.stop_turns,
        stop_tokens=request.stop_tokens,
        stop_usd=request.stop_usd,
    )
    defaults = config.adapter.get(agent.adapter)
    return (
        ("spawn", spoken),
        ("template", template),
        ("job", job),
        ("agent", agent),
        ("task type", config.task_type.get(kind, TaskType())),
        ("adapter", Routed(skills=defaults.skills if defaults else None)),
        ("shipped", _shipped(SHIPPED.get(kind, TaskType()), config)),
    )


def _shipped(kind: TaskType, config: Config) -> Routed:
    """What holds when nobody says anything: the task type as shipped, within `[limits]`."""
    limits = config.limits
    most = limits.injected_tokens
    return replace(
        kind,
        fallback=(),
        inject=kind.inject or (),
        permissions=kind.permissions or "deny",
        sandbox="prefer",
        read="open",
        linger=kind.linger or "0s",
        skills=kind.skills or NO_SKILLS,
        timeout=min(kind.timeout or limits.timeout_max, limits.timeout_max, key=seconds),
        injected_tokens=min(kind.injected_tokens or most, most),
        run_tokens=limits.run_tokens,
        run_usd=limits.run_usd,
    )


def _nearest(levels: Levels, key: str) -> Said:
    return _first(*((level, getattr(entry, key)) for level, entry in levels))


def _tightest(levels: Levels, key: str) -> Said:
    """For what a run spawns: it may ask for less than the other levels allow it, not for more."""
    own, others = _nearest(levels[:1], key), _nearest(levels[1:], key)
    return own if own[0] is not None and (others[0] is None or own[0] <= others[0]) else others


def _first(*said: tuple[Level, Any]) -> Said:
    """The nearest word, and who says it."""
    return next(((value, level) for level, value in said if value is not None), (None, "shipped"))


def _times(request: RunRequest, levels: Levels, own: TaskType, config: Config) -> dict[str, Said]:
    text, level = _nearest(levels, "timeout")
    timeout: Said = (seconds(text), level) if request.timeout_s is None else (request.timeout_s, "spawn")
    longest, whose = _first(("task type", own.timeout_max), ("shipped", config.limits.timeout_max))
    silence, quiet = _nearest(levels, "silence")
    linger, held = _nearest(levels, "linger")
    return {
        "timeout_s": timeout,
        "timeout_max_s": (seconds(longest), whose),
        "silence_s": (None if silence is None else seconds(silence), quiet),
        "linger_s": (seconds(linger), held),
    }


def _model(said: Said, fallback: tuple[str, ...], agent: Agent, whose: Level) -> dict[str, Said]:
    """The adapter, and the model as that one calls it. `whose`: who decided the agent. Raises Refused."""
    model, level = said
    named, own = split_model(model, agent.adapter)
    for one in (model, *fallback):
        if one is not None and (problem := no_model(one, agent.adapter))[0]:
            raise Refused(*problem)
    if (level, whose, named, agent.adapter) == ("spawn", "shipped", None, "digest") and model is not None:
        why = f"no agent is named for the model {model}, and digest, which is meant then, asks no model"
        raise Refused(why, f"name one: --agent NAME, or --model ADAPTER/{model}")
    return {"adapter": (named or agent.adapter, level if named else whose), "model": (own, level)}


def split_model(model: str | None, adapter: str) -> tuple[str | None, str | None]:
    """The adapter that a model's name asks for, None where it does not, and the rest of the name. What a command or an
    agent of a protocol calls its models is its own business."""
    if model is None or adapter in ("command", "acp"):
        return None, model
    named, slash, rest = model.partition("/")
    if named not in ADAPTERS:
        return None, model
    return named, rest if slash else None


def _microusd(said: Said) -> Said:
    usd, level = said
    if usd is not None and not 0 <= usd <= MOST_USD:
        raise Refused(f"a run cannot be limited to {usd} dollars", f"give an amount from 0 to {MOST_USD:,}")
    return None if usd is None else round(usd * 1_000_000), level


def _lane(request: RunRequest, job: Job, kind: str, config: Config) -> Said:
    """What is spawned never joins a conversation of the operator's."""
    if request.trigger == "spawn":
        return "isolated", "spawn"
    shipped = SHIPPED.get(kind, SHIPPED[_by_trigger(request)])
    return _first(
        ("spawn", request.lane),
        ("job", job.session),
        ("task type", config.task_type.get(kind, TaskType()).lane),
        ("shipped", shipped.lane),
    )


def _task(request: RunRequest, template: Template, job: Job) -> Said:
    """A template's words, and after them those of whoever asks, else those of the job."""
    own, level = _first(("spawn", request.task or None), ("job", job.task or None))
    task = "\n".join(text for text in (template.task, own) if text)
    return task, level if own or not template.task else "template"


def _scope(request: RunRequest, template: Template, job: Job) -> dict[str, Said]:
    nowhere: tuple[Level, tuple[str, ...]] = ("shipped", ())
    can_read = _first(("spawn", request.can_read or None), ("template", template.can_read or None), nowhere)
    can_write = _first(
        ("spawn", request.can_write or None),
        ("template", template.can_write or None),
        ("job", job.can_write or None),
        nowhere,
    )
    return {"can_read": can_read, "can_write": can_write}


def _known(kind: str, name: str, known: Mapping[str, Entry]) -> Entry:
    if name not in known:
        raise NotFound(*no_such(kind, name, known))
    return known[name]
