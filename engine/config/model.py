"""What can an operator declare? The typed tree behind `quarterdeck.toml`: every field is followed by what it does.

A key that is not here is refused, and every key that is here is read somewhere.
"""

import os
from typing import Literal, get_args

from msgspec import Struct, field
from msgspec.structs import asdict, replace

from engine.config.console import Alerts, ConsoleConfig
from engine.config.durations import seconds
from engine.config.routed import SHIPPED, Lane, Routed, TaskType

AdapterName = Literal["digest", "command", "claude_code", "codex", "acp", "anthropic", "openai", "ollama"]
Unit = Literal["tokens", "microusd"]


class EngineConfig(Struct, frozen=True):
    """`[engine]`"""

    max_runs: int = 4
    """How many runs may be live at once, over all agents."""
    idle_exit: str = "10s"
    """How long the engine stays when no console is attached, nothing runs and nothing is scheduled."""


class Limits(Struct, frozen=True):
    """`[limits]`: what no single run may exceed, unless a nearer level says otherwise: task types, agents, jobs,
    templates and spawns may. What a run spawns may only be given less."""

    timeout_max: str = "30m"
    """The longest timeout that a run may ask for, where its task type names none."""
    injected_tokens: int = 8_000
    """Tokens that the prompt of one run may have."""
    file_tokens: int = 8_000
    """Tokens that one injected file may have."""
    run_tokens: int = 50_000
    """Tokens that one run may be expected to use at most, prompt and answers together."""
    run_usd: float | None = None
    """Dollars that one run may be expected to cost at most."""
    output_tokens: int = 400
    """Length of a recap by the built-in `digest` agent; the expected answer of others, where their adapter declares
    none."""
    grace: str = "10s"
    """Time between asking a run to end and ending it."""
    depth: int = 2
    """How deep spawns may nest: what a run spawns has depth 1."""
    children: int = 4
    """How many runs one run may spawn, over its life."""
    allow_unpriced: bool = False
    """Whether a run whose price is not known may draw on a budget, or pass a limit, in dollars."""


class Waiting(Struct, frozen=True):
    """`[waiting]`: how long a run that cannot start yet is kept. It holds neither claims nor reservations meanwhile."""

    approval: str = "12h"
    """For the operator's word."""
    room: str = "24h"
    """For a claim, for a free place, or for room in a budget."""


class AdapterDefaults(Struct, frozen=True):
    """`[adapter.NAME]`: where an adapter (`claude_code`, `codex`, `acp`, `anthropic`, `openai`, `ollama`, `digest`,
    `command`) finds what it speaks to, and what is expected of its runs until five of an agent's runs of a task type
    have told."""

    program: str | None = None
    """For `claude_code` and `codex`: the program, where it is not on the engine's PATH by its usual name."""
    base_url: str | None = None
    """For `anthropic`, `openai` and `ollama`: the server, where it is not the usual one."""
    key: str | None = None
    """The key, as a reference: `env:NAME` (of the engine's environment), `file:/path` (mode 0600), `cmd:...` (what it
    prints). Without it, `anthropic` and `openai` take `env:ANTHROPIC_API_KEY` and `env:OPENAI_API_KEY` (none is needed
    for a `base_url` of your own), and programs what they find themselves."""
    api: Literal["responses", "chat"] | None = None
    """For `openai`: what the server speaks; without it, `responses`."""
    idle: str = "2m"
    """For models over HTTP: how long a server may be silent."""
    skills: str | None = None
    """The skill set of its runs that name none."""
    overhead_tokens: int | None = None
    """What it sends beside our prompt: its own instructions and tool schemas. Without it, as measured
    of its program."""
    output_tokens: int | None = None
    """The answers of a run together; without it, `limits.output_tokens`."""
    turns: int = 1
    """Requests per run: each sends prompt and overhead again."""


class Agent(Routed, frozen=True, kw_only=True):
    """`[agent.NAME]`: a profile. There is one of each adapter's name without an entry, except of `acp`."""

    adapter: AdapterName
    """How to speak to it, unless its model says otherwise."""
    argv: tuple[str, ...] = ()
    """For `command`: the program and its arguments; the prompt comes on its stdin. For `acp`: the agent to speak to.
    Replaced in it: `{model}`, `{tools}`, `{session}` (the conversation's id), `{workspace}`."""
    argv_resume: tuple[str, ...] = ()
    """For `command`: the same when a conversation goes on; without it, every run starts afresh."""
    home: str | None = None
    """For `claude_code` and `codex`: the folder in which the program keeps its settings, logins and conversations,
    where it is not the usual one."""
    state: tuple[str, ...] = ()
    """For `acp` and `command`: files and folders of the program's own that its runs may write whatever their scope is:
    `~/.my-agent`. Those of Claude, Codex, Gemini and opencode are known."""
    base_url: str | None = None
    """Of its own, instead of its adapter's."""
    key: str | None = None
    """Of its own, instead of its adapter's."""
    workspace: str | None = None
    """The folder it works in; without it, the folder from which a run is asked for."""
    instructions: str | None = None
    """A file, relative to the workspace, that opens every conversation of this agent."""
    task_type: str | None = None
    """The task type of its runs that name none."""
    max_runs: int | None = None
    """How many of its runs may be live at once."""
    env: tuple[str, ...] = ()
    """Names of environment variables that its runs may see, beside PATH, HOME, LANG and TZ."""
    secrets: dict[str, str] = field(default_factory=dict)
    """Variables that its runs get beside these, each a reference like `key`; the values are written nowhere."""


class Param(Struct, frozen=True):
    """`[template.NAME.params.PARAM]`: what a spawn fills in."""

    type: Literal["text", "word", "number", "path"] = "text"
    """`text`: anything. `word`: no blanks. `number`: digits. `path`: relative to the workspace, and inside of it."""
    default: str | None = None
    """What holds when the spawn gives none; without it, one must be given."""


class Template(Routed, frozen=True, kw_only=True):
    """`[template.NAME]`: a reusable spawn. `{PARAM}` is replaced, once and as it is, in `task`, `inject`, `can_read`
    and `can_write`."""

    agent: str | None = None
    """Who does it; without it, as the spawn says, else `digest`."""
    task_type: str | None = None
    """The task type; without it, the agent's, else `subagent`."""
    task: str = ""
    """What to do, in words; the spawn's own words come after it."""
    can_read: tuple[str, ...] = ()
    """When given, injected files must lie within these."""
    can_write: tuple[str, ...] = ()
    """Paths that it may write, relative to the workspace."""
    params: dict[str, Param] = field(default_factory=dict)


class SkillSet(Struct, frozen=True):
    """`[skill_set.NAME]`: an allow-list."""

    skills: tuple[str, ...]
    """Names of skills, as `qd skills` lists them."""


class Skills(Struct, frozen=True):
    """`[skills]`"""

    folders: tuple[str, ...] = ()
    """More folders to look for skills in, beside those of the workspace, the user and the agent CLIs."""


Window = Literal["run", "hour", "5h", "day", "week", "month"]


class Budget(Struct, frozen=True):
    """`[budget.NAME]`: a limit per window on tokens (input, cache reads and writes, output), on dollars, or on both."""

    window: Window
    """`run` (each by itself), `hour`, `5h` (from the hour of the first usage on, as subscriptions count), `day`, `week`
    (from Monday) or `month`, in the operator's zone."""
    tokens: int | None = None
    """The limit in tokens."""
    usd: float | None = None
    """The limit in dollars."""
    lane: Lane | None = None
    """Count only this lane."""
    agent: str | None = None
    """Count only this agent."""
    job: str | None = None
    """Count only this job."""
    task_type: str | None = None
    """Count only this task type."""
    model: str | None = None
    """Count only this model."""
    source: Literal["quarterdeck", "claude_code", "codex", "openclaw", "gemini", "opencode"] | None = None
    """Count only this source of usage."""
    warn_at: float = 0.8
    """The share of the limit from which the console warns."""
    action: Literal["warn", "ask", "refuse", "pause"] = "refuse"
    """What happens to a run that does not fit: `warn` lets it pass, `ask` keeps it until you approve it, `refuse`
    refuses it, `pause` keeps it until there is room. Under all but `warn` a live run that needs more than there is
    comes to an end, and goes on once the limit is raised or a new window begins."""

    @property
    def limits(self) -> dict[Unit, int]:
        """The limit in each unit that has one: tokens, micro-dollars."""
        money = None if self.usd is None else round(self.usd * 1_000_000)
        declared: dict[Unit, int | None] = {"tokens": self.tokens, "microusd": money}
        return {unit: limit for unit, limit in declared.items() if limit is not None}


class ModelPrice(Struct, frozen=True):
    """`[prices."MODEL"]`, `[prices."PROVIDER/MODEL"]`: dollars per million tokens, whatever the price list says."""

    input: float
    """Uncached input. The model is called as its log calls it. Prices are read as written, to 15 digits; usage that has
    one already keeps it."""
    output: float
    """Output, reasoning included."""
    cache_read: float | None = None
    """Reads from the cache; without it, as `input`."""
    cache_write: float | None = None
    """Writes to the cache for five minutes, and those whose lifetime is not logged; without it, as `input`."""
    cache_write_1h: float | None = None
    """Writes to the cache that live for an hour; without it, as `cache_write`."""
    context_window: int | None = None
    """The most tokens that fit into its context."""


class Job(Routed, frozen=True, kw_only=True):
    """`[job.NAME]`: a run that the engine asks for when it is due. Give exactly one of `every` and `cron`."""

    every: str | None = None
    """An interval, counted from when the job was declared: `10m`."""
    cron: str | None = None
    """Five cron fields, in the job's zone: `0 7 * * 1-5`."""
    zone: str | None = None
    """IANA zone for `cron`; without it, the top-level `timezone`."""
    agent: str = "digest"
    """Who does it."""
    task_type: str | None = None
    """The task type; without it, the agent's, else `cron`."""
    session: Lane | None = None
    """`isolated`: a fresh conversation each time. `main`: the job's own conversation is resumed. Without it, as the
    task type says."""
    workspace: str | None = None
    """The folder it works in; without it, the agent's."""
    task: str = ""
    """What to do, in words."""
    can_write: tuple[str, ...] = ()
    """Paths that it may write, relative to the workspace."""
    enabled: bool = True
    """False: due times are noted as paused and nothing runs."""


class Config(Struct, frozen=True):
    """The whole of `quarterdeck.toml`."""

    timezone: str | None = None
    """IANA zone of the operator, for cron fields and budget windows; without it, the machine's."""
    engine: EngineConfig = EngineConfig()
    limits: Limits = Limits()
    waiting: Waiting = Waiting()
    skills: Skills = Skills()
    task_type: dict[str, TaskType] = field(default_factory=dict)
    adapter: dict[str, AdapterDefaults] = field(default_factory=dict)
    template: dict[str, Template] = field(default_factory=dict)
    agent: dict[str, Agent] = field(default_factory=dict)
    skill_set: dict[str, SkillSet] = field(default_factory=dict)
    budget: dict[str, Budget] = field(default_factory=dict)
    prices: dict[str, ModelPrice] = field(default_factory=dict)
    job: dict[str, Job] = field(default_factory=dict)
    console: ConsoleConfig = ConsoleConfig()
    alerts: Alerts = Alerts()

    @property
    def agents(self) -> dict[str, Agent]:
        """Declared agents and the built-in ones."""
        return BUILT_IN | self.agent

    @property
    def task_types(self) -> dict[str, TaskType]:
        """The shipped ones as the operator changed them, and the operator's own."""
        return SHIPPED | {
            name: _over(SHIPPED[name], own) if name in SHIPPED else own for name, own in self.task_type.items()
        }

    @property
    def homes(self) -> tuple[tuple[str, str], ...]:
        """Adapter and home of every agent whose program has one of its own: it keeps its logs there, too."""
        own = {(agent.adapter, os.path.expanduser(agent.home)) for agent in self.agent.values() if agent.home}  # noqa: PTH111
        return tuple(sorted(own))

    @property
    def idle_exit_s(self) -> float:
        return seconds(self.engine.idle_exit)

    @property
    def timeout_max_s(self) -> float:
        return seconds(self.limits.timeout_max)

    @property
    def grace_s(self) -> float:
        return seconds(self.limits.grace)


def _over(shipped: TaskType, own: TaskType) -> TaskType:
    """The shipped type, with all that the operator's entry says."""
    said = {name: value for name, value in asdict(own).items() if value is not None}
    return replace(shipped, **said)


NO_SKILLS = "none"
"""The name of the empty skill set."""

BUILT_IN: dict[str, Agent] = {
    name: Agent(adapter=name)
    for name in get_args(AdapterName)
    if name != "acp"  # whose program must be told
}
"""Agents that need no entry."""
