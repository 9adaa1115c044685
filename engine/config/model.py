"""What can an operator declare? The typed tree behind `quarterdeck.toml`: every field is followed by what it does.

A key that is not here is refused, and every key that is here is read somewhere.
"""

from typing import Literal

from msgspec import Struct, field

from engine.config.durations import seconds

Lane = Literal["main", "isolated"]


class EngineConfig(Struct, frozen=True):
    """`[engine]`"""

    max_runs: int = 4
    """How many runs may be live at once, over all agents."""
    idle_exit: str = "10s"
    """How long the engine stays when no console is attached, nothing runs and nothing is scheduled."""


class Limits(Struct, frozen=True):
    """`[limits]`: what no single run may exceed."""

    timeout: str = "5m"
    """The timeout of a run that names none."""
    timeout_max: str = "30m"
    """The longest timeout that a run may ask for."""
    injected_tokens: int = 8_000
    """Tokens that the prompt of one run may have."""
    run_tokens: int = 50_000
    """Tokens that one run may be estimated at, prompt and answer together."""
    output_tokens: int = 400
    """Length of a recap by the built-in `digest` agent; counted as the expected answer of others."""
    grace: str = "10s"
    """Time between asking a run to end and ending it."""


class Agent(Struct, frozen=True):
    """`[agent.NAME]`: a profile. `digest` and `command` are built in and need no entry."""

    adapter: Literal["digest", "command"]
    """How to speak to it."""
    argv: tuple[str, ...] = ()
    """For `command`: the program and its arguments. The prompt comes on its stdin."""
    workspace: str | None = None
    """The folder it works in; without it, the folder from which a run is asked for."""
    instructions: str | None = None
    """A file, relative to the workspace, that opens every prompt of this agent."""
    inject: tuple[str, ...] = ()
    """The files put into its prompts, relative to the workspace, when a run names none."""
    skills: str | None = None
    """The skill set that it is allowed; none means no skill at all."""
    timeout: str | None = None
    """The timeout of its runs that name none."""
    env: tuple[str, ...] = ()
    """Names of environment variables that its runs may see, beside PATH, HOME, LANG and TZ."""


class SkillSet(Struct, frozen=True):
    """`[skill_set.NAME]`: an allow-list."""

    skills: tuple[str, ...]
    """Names of skills, as `qd skills` lists them."""


class Skills(Struct, frozen=True):
    """`[skills]`"""

    folders: tuple[str, ...] = ()
    """More folders to look for skills in, beside those of the workspace, the user and the agent CLIs."""


Window = Literal["hour", "day", "week", "month"]


class Budget(Struct, frozen=True):
    """`[budget.NAME]`: a limit on tokens (input, cache reads and writes, output) in each window."""

    window: Window
    """`hour`, `day`, `week` (from Monday) or `month`, in the operator's zone."""
    tokens: int
    """The limit."""
    lane: Lane | None = None
    """Count only this lane."""
    agent: str | None = None
    """Count only this agent."""
    job: str | None = None
    """Count only this job."""
    source: Literal["quarterdeck", "claude_code", "codex", "openclaw", "gemini", "opencode"] | None = None
    """Count only this source of usage."""
    warn_at: float = 0.8
    """The share of the limit from which the console warns."""
    action: Literal["refuse", "warn"] = "refuse"
    """What happens to a run that does not fit: it is refused, or only warned about."""


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


class Job(Struct, frozen=True):
    """`[job.NAME]`: a run that the engine asks for when it is due. Give exactly one of `every` and `cron`."""

    every: str | None = None
    """An interval, counted from when the job was declared: `10m`."""
    cron: str | None = None
    """Five cron fields, in the job's zone: `0 7 * * 1-5`."""
    zone: str | None = None
    """IANA zone for `cron`; without it, the top-level `timezone`."""
    agent: str = "digest"
    """Who does it."""
    session: Lane = "isolated"
    """`isolated`: a fresh conversation each time. `main`: the job's own conversation is resumed."""
    workspace: str | None = None
    """The folder it works in; without it, the agent's."""
    inject: tuple[str, ...] = ()
    """The only files put into its prompt, relative to the workspace."""
    task: str = ""
    """What to do, in words."""
    can_write: tuple[str, ...] = ()
    """Paths that it may write, relative to the workspace."""
    timeout: str | None = None
    """Its timeout; without it, the agent's."""
    enabled: bool = True
    """False: due times are noted as paused and nothing runs."""


class Config(Struct, frozen=True):
    """The whole of `quarterdeck.toml`."""

    timezone: str | None = None
    """IANA zone of the operator, for cron fields and budget windows; without it, the machine's."""
    engine: EngineConfig = EngineConfig()
    limits: Limits = Limits()
    skills: Skills = Skills()
    agent: dict[str, Agent] = field(default_factory=dict)
    skill_set: dict[str, SkillSet] = field(default_factory=dict)
    budget: dict[str, Budget] = field(default_factory=dict)
    prices: dict[str, ModelPrice] = field(default_factory=dict)
    job: dict[str, Job] = field(default_factory=dict)

    @property
    def agents(self) -> dict[str, Agent]:
        """Declared agents and the built-in ones."""
        return BUILT_IN | self.agent

    @property
    def idle_exit_s(self) -> float:
        return seconds(self.engine.idle_exit)

    @property
    def timeout_max_s(self) -> float:
        return seconds(self.limits.timeout_max)

    @property
    def grace_s(self) -> float:
        return seconds(self.limits.grace)


BUILT_IN = {"digest": Agent(adapter="digest"), "command": Agent(adapter="command")}
"""Agents that need no model, no key and no entry."""
