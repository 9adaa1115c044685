"""How a run ended: the keeper's end record and the outcome that follows from it."""

from typing import Literal

from msgspec import Struct

Outcome = Literal[
    "succeeded", "failed", "timed_out", "cancelled", "could_not_start", "interrupted", "budget_reached", "refused"
]
"""`interrupted`: the keeper died before it could say how the run ended. `budget_reached`: it needed more than there
was, and was ended so that it can go on."""


class StoppedAt(Struct, frozen=True):
    """A limit that had no room left for a live run."""

    budget: str
    unit: Literal["tokens", "microusd"]
    limit: int
    """What was granted included."""
    window_start_ms: int


class Stop(Struct, frozen=True):
    """Why we ended a live run."""

    reason: Literal["budget_reached", "operator"]
    """The operator's word stands, whenever it came."""
    at: tuple[StoppedAt, ...] = ()


class KeeperJob(Struct, frozen=True):
    """`launch.json` in a run's folder: what the keeper is to do. Times in seconds, sizes in bytes."""

    argv: tuple[str, ...]
    cwd: str
    env: dict[str, str]
    """The child's whole environment; nothing is inherited."""
    timeout_s: float
    grace_s: float
    output_cap: int
    """Stdout and stderr are each cut to this size: head and tail are kept."""


class KeeperAlive(Struct, frozen=True):
    """`keeper.json`: who keeps this run, told apart from a later process with the same pid."""

    pid: int
    start_ticks: int
    """Field 22 of /proc/PID/stat."""
    boot_id: str
    child_pid: int | None = None


class EndRecord(Struct, frozen=True):
    """`end.json`, written by rename when no process of the run is left."""

    outcome: Outcome
    exit_code: int | None
    """None when it ended by a signal or never started."""
    signal: int | None
    started_ms: int
    ended_ms: int
    duration_s: float
    """From a monotonic clock."""
    escalated: bool = False
    """It had to be killed after the grace."""
    leaked: int = 0
    """Processes that the leader, or of an interrupted run its dead keeper, left behind and that were ended."""
    dropped_bytes: int = 0
    """Output beyond the cap."""
    why: str = ""
