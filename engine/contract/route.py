"""By what is a run routed? Every value with the level that decided it."""

from typing import Literal

from msgspec import Struct

Level = Literal["spawn", "template", "job", "agent", "task type", "adapter", "shipped"]
"""Nearest first: the first of these that says something wins. `spawn` is whoever asks for the run."""


Keep = Literal["settings", "instructions", "memory", "mcp", "skills", "system"]
"""What an agent's own program adds to a prompt."""
Permissions = Literal["ask", "allow", "deny"]
SandboxMode = Literal["require", "prefer", "off"]
Read = Literal["open", "strict"]


class Route(Struct, frozen=True):
    """What a request amounts to, before any file is read."""

    agent: str
    adapter: str
    task_type: str
    template: str | None
    lane: Literal["main", "isolated"]
    model: str | None
    """As the adapter calls it. None: whatever the adapter takes by itself."""
    fallback: tuple[str, ...]
    """Models to go to when this one cannot be reached, each with its adapter."""
    task: str
    inject: tuple[str, ...]
    tools: tuple[str, ...] | None
    """None: whatever the agent has by itself."""
    keep: tuple[Keep, ...] | None
    """None: all that its program adds by itself."""
    skills: str
    """The name of a skill set; `none` is the empty one."""
    permissions: Permissions
    sandbox: SandboxMode
    read: Read
    can_read: tuple[str, ...]
    """Empty: anywhere in the workspace."""
    can_write: tuple[str, ...]
    timeout_s: float
    timeout_max_s: float
    silence_s: float | None
    linger_s: float
    """Zero: its program ends with the run."""
    target_tokens: int | None
    injected_tokens: int
    run_tokens: int
    run_microusd: int | None
    stop_turns: int | None
    stop_tokens: int | None
    stop_microusd: int | None
    bootstrap_template: str | None
    prompt_template: str | None
    decided: dict[str, Level]
    """Which level decided each of the values above, by their names here."""
