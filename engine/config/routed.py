"""What may every level say of a run? Task types, agents, jobs, templates and spawns share these keys."""

from typing import Literal

from msgspec import Struct

from engine.contract.route import Keep, Permissions, Read, SandboxMode

Lane = Literal["main", "isolated"]


class Routed(Struct, frozen=True, kw_only=True):
    """What every level may say of a run. The nearest level that says it wins: spawn, template, job, agent, task type,
    adapter, shipped default."""

    model: str | None = None
    """The model, as its adapter calls it, or `ADAPTER/MODEL`: then that adapter speaks to it (`ollama/qwen2.5:3b`,
    `claude_code/haiku`, `digest`). For an agent of the adapters `command` and `acp` it stays as it is written:
    `{model}` in an argv, `QUARTERDECK_MODEL` in the environment of the run."""
    fallback: tuple[str, ...] | None = None
    """Models to go to, one after the other, when the one before cannot be reached: it refuses, is overloaded or is not
    there. Each is a run of its own, through the same checks. `[]` for none, which is the default."""
    inject: tuple[str, ...] | None = None
    """The only files put into the prompt, relative to the workspace."""
    tools: tuple[str, ...] | None = None
    """The tools that it may use, as the adapter calls them; without it, whatever the agent has by itself. Of models
    over HTTP: `read`, `list`, `search`, `write`, `edit`."""
    keep: tuple[Keep, ...] | None = None
    """What the agent's own program may add to the prompt: `settings`, `instructions` (CLAUDE.md, AGENTS.md), `memory`,
    `mcp`, `skills`, `system` (its own system prompt). Without it, everything; `[]` is the leanest."""
    skills: str | None = None
    """The skill set that it is allowed; `none` is the empty one, which is also the default."""
    permissions: Permissions | None = None
    """What happens when the agent wants to do what its program would ask about, and writing within `can_write` is not
    all of it: `ask` asks you, `allow` lets it, `deny` does not."""
    sandbox: SandboxMode | None = None
    """Whether the kernel holds it to its scope: `require` refuses the run where it cannot, `prefer` says so and goes
    on, `off` leaves it to the check afterwards."""
    read: Read | None = None
    """What it may read: `open` is everything that you may, `strict` its workspace (or `can_read`), its program's own
    files and the system's."""
    timeout: str | None = None
    """How long it may take."""
    silence: str | None = None
    """How long it may put nothing out; then it is ended."""
    linger: str | None = None
    """How long its program is kept after an answer, so that the next turn of the conversation need not start it.
    `0s`: not at all."""
    target_tokens: int | None = None
    """Tokens that its prompt should have; more is only warned about."""
    injected_tokens: int | None = None
    """Tokens that its prompt may have; more is refused."""
    run_tokens: int | None = None
    """Tokens that it may be expected to use at most."""
    run_usd: float | None = None
    """Dollars that it may be expected to cost at most."""
    stop_turns: int | None = None
    """It is ended when it asks its model once more than this."""
    stop_tokens: int | None = None
    """It is ended when it has used more tokens than this."""
    stop_usd: float | None = None
    """It is ended when it has cost more dollars than this."""
    bootstrap_template: str | None = None
    """A text that opens a conversation, and is not sent again while that goes on. Replaced in it: `{agent}`,
    `{task_type}`, `{job}`, `{workspace}`."""
    prompt_template: str | None = None
    """A text sent with every prompt: best small, and the same each time. Replaced in it, besides: `{trigger}`,
    `{date}`, `{time}`."""


class TaskType(Routed, frozen=True, kw_only=True):
    """`[task_type.NAME]`: what kind of work a run is. `heartbeat`, `cron`, `research`, `decision`, `subagent`, `chat`
    are shipped; what an entry of one of these names leaves out stays as shipped. A type of your own needs a timeout."""

    lane: Lane | None = None
    """`main` or `isolated`."""
    timeout_max: str | None = None
    """The longest timeout that a run of this type may ask for; without it, `limits.timeout_max`."""


SHIPPED = {
    "heartbeat": TaskType(
        lane="isolated",
        inject=("HEARTBEAT.md",),
        tools=(),
        keep=(),
        skills="none",
        permissions="deny",
        timeout="2m",
        target_tokens=60,
    ),
    "cron": TaskType(lane="isolated", inject=(), keep=(), permissions="deny", timeout="5m", target_tokens=100),
    "research": TaskType(
        lane="main", keep=("system", "instructions"), permissions="ask", timeout="10m", target_tokens=300
    ),
    "decision": TaskType(
        lane="main", keep=("system", "instructions"), permissions="ask", timeout="10m", target_tokens=400
    ),
    "subagent": TaskType(
        lane="isolated",
        inject=(),
        keep=(),
        permissions="deny",
        timeout="5m",
        target_tokens=200,
        injected_tokens=500,
    ),
    "chat": TaskType(lane="main", permissions="ask", timeout="5m", linger="5m"),
}
"""Task types that need no entry, with the targets of the plan that they come from. No model: only the operator knows
which one is cheap here."""
