"""By what is a run routed? Every value with the level that decided it."""

from typing import Literal

from msgspec import Struct

Level = Literal["spawn", "template", "job", "agent", "task type", "adapter", "shipped"]
"""Nearest first: the first of these that says something wins. `spawn` is whoever asks for the run."""


class Route(Struct, frozen=True):
    """What a request amounts to, before any file is read."""

    agent: str
    adapter: str
    task_type: str
    template: str | None
    lane: Literal["main", "isolated"]
    model: str | None
    """None: whatever the adapter takes by itself."""
    task: str
    inject: tuple[str, ...]
    tools: tuple[str, ...] | None
    """None: whatever the agent has by itself."""
    skills: str
    """The name of a skill set; `none` is the empty one."""
    can_read: tuple[str, ...]
    """Empty: anywhere in the workspace."""
    can_write: tuple[str, ...]
    timeout_s: float
    timeout_max_s: float
    target_tokens: int | None
    injected_tokens: int
    run_tokens: int
    run_microusd: int | None
    bootstrap_template: str | None
    prompt_template: str | None
    decided: dict[str, Level]
    """Which level decided each of the values above, by their names here."""
