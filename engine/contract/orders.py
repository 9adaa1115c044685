"""What may a console ask of the engine? The body of each order, by its kind."""

from typing import Literal

from msgspec import Struct

Trigger = Literal["operator", "timer", "assignment", "mention", "spawn", "rotation", "compaction", "recovery"]
Lane = Literal["main", "isolated"]


class RunRequest(Struct, frozen=True):
    """A run that somebody wants: the body of the orders `run` and `preview`, and what the schedule asks for.

    Paths are relative to the workspace. `None` means: as the agent declares it.
    """

    agent: str
    workspace: str
    task: str = ""
    inject: tuple[str, ...] | None = None
    can_read: tuple[str, ...] = ()
    """When given, injected files must lie within these."""
    can_write: tuple[str, ...] = ()
    timeout_s: float | None = None
    argv: tuple[str, ...] = ()
    """For the `command` adapter: instead of the agent's own."""
    trigger: Trigger = "operator"
    lane: Lane = "main"
    job: str | None = None
    slot_due_ms: int | None = None
    session_id: int | None = None
    """Run in this session instead of the agent's own; its agent must be the same."""


class ResetSession(Struct, frozen=True):
    """Order `reset`: start the session's next generation."""

    session_id: int
    seen_generation_id: int | None
    """The generation that the operator was looking at; another one by now means that the order is stale."""
    note: str


class StopRun(Struct, frozen=True):
    """Order `stop`: end a live run."""

    run_id: int


class FireJob(Struct, frozen=True):
    """Order `fire`: run a job now, beside its schedule."""

    job: str


class Nothing(Struct, frozen=True):
    """The body of orders that need none: `undo`, `reload`, `catch_up`, `shutdown`, `handover`."""


class Preview(Struct, frozen=True):
    """A question that is never recorded: what would the verdict be? The newest of each console wins."""

    token: str
    request: RunRequest


class PreviewAnswer(Struct, frozen=True):
    """The answer to the preview with this token. JSON of a Verdict and of a ReceiptView."""

    token: str
    verdict: str
    receipt: str
    error: str = ""
    """Why there is no verdict at all, in one line."""
