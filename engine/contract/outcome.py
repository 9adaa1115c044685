"""How a run ended: the keeper's end record and the outcome that follows from it."""

from typing import Literal

from msgspec import Struct

Outcome = Literal[
    "succeeded",
    "failed",
    "crashed",
    "timed_out",
    "silent",
    "cancelled",
    "could_not_start",
    "interrupted",
    "budget_reached",
    "refused",
]
"""`crashed`: it ended by a signal that nobody of us sent. `silent`: it put nothing out for longer than it may.
`interrupted`: the keeper died before it could say how the run ended. `budget_reached`: it needed more than there was,
or than it may use, and was ended so that it can go on."""


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


class SandboxRules(Struct, frozen=True):
    """What the kernel lets a run's processes touch, by Landlock. Absolute paths that exist; links are followed."""

    write: tuple[str, ...]
    """Files, and folders with all below them, that may be written, made and removed; they may be read, too."""
    read: tuple[str, ...] | None = None
    """The same for what may be read and executed; None: everything."""


class KeeperJob(Struct, frozen=True):
    """`launch.json` in a run's folder: what the keeper is to do. Times in seconds, sizes in bytes."""

    argv: tuple[str, ...]
    cwd: str
    env: dict[str, str]
    """The child's environment, with what the keeper is handed beside this file: secrets are never written to disk.
    Nothing is inherited."""
    timeout_s: float
    grace_s: float
    output_cap: int
    """Stdout and stderr are each cut to this size: head and tail are kept."""
    silence_s: float | None = None
    """How long it may put nothing out; None: as long as it likes."""
    input_open: bool = False
    """Its input begins with the file `stdin` and goes on with what is written to the FIFO `input` in the folder, until
    the keeper is told by SIGUSR1 that nothing more comes. False: it ends with that file."""
    sandbox: SandboxRules | None = None
    """None: the kernel enforces nothing."""


class Turn(Struct, frozen=True):
    """`turn.json` in the folder of a client that is held over several turns, replaced by rename at the start and the
    end of each. Before there is one, the job's timeout holds."""

    busy: bool
    """False: it waits for the next turn."""
    until_boottime_s: float
    """On CLOCK_BOOTTIME. While busy: the deadline of the turn, and then the run is ended as `timed_out`. Else: from
    then on its input is closed, and it ends by itself, or in the grace."""


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
    sandbox: str = ""
    """What the kernel enforced: `landlock(7)`, with the version of its interface; empty when nothing."""
