"""The exception tree. Every error that a user can meet is one of these, says what to do, and is shown once.

QuarterdeckError              exit code 1
  StateError                  the state folder or the database cannot be used
    StateUnwritable           not ours, read-only, or its permissions are too wide
    StateNewer                written by a newer Quarterdeck
    LeaseLost                 another engine has taken over: this one must write nothing more
    NotWritten                not just now: the disk is full, or someone holds the database; it can be tried again
  ConfigError                 quarterdeck.toml, with file and line
  Refused                     a gate or a precondition said no; nothing was spent
    OverBudget                what would be held does not fit into a budget
  NotFound                    a session, run, job or budget that is not there
  EngineUnavailable           no engine runs and none could be started, or it did not answer
  UsageError                  exit code 2: the command line makes no sense
"""


class QuarterdeckError(Exception):
    """An error for the operator: `str(error)` is one line, and `fix` says what to do about it."""

    exit_code = 1

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix

    @property
    def line(self) -> str:
        """The message and, when there is one, the way out, on one line."""
        text = str(self)
        return " ".join((f"{text}; {self.fix}" if self.fix else text).split())


class StateError(QuarterdeckError):
    """The state folder or its database cannot be used."""


class StateUnwritable(StateError):
    """The state folder is read-only, belongs to someone else, or is open to others."""


class StateNewer(StateError):
    """The database was written by a newer Quarterdeck."""


class Unstorable(StateError):
    """A value that the database cannot hold; nothing of its transaction was written."""


class LeaseLost(StateError):
    """Another engine holds the lease now; nothing this process writes is accepted."""


class NotWritten(StateError):
    """The database cannot be written just now, as on a full disk; nothing of the transaction was kept."""


class ConfigError(QuarterdeckError):
    """`quarterdeck.toml` cannot be used; the message names file and line."""


class Refused(QuarterdeckError):
    """A gate or a precondition said no. Nothing was spent and nothing was changed."""


class OverBudget(Refused):
    """A budget has no room for what a run would hold; nothing is held in any budget."""

    def __init__(self, budget: str, unit: str, needed: int, free: int) -> None:
        super().__init__(f"budget {budget} has {free:,} {unit} free, {needed:,} are needed", f"raise budget {budget}")
        self.budget = budget
        self.unit = unit
        self.needed = needed
        self.free = free


class NotFound(QuarterdeckError):
    """What was named does not exist."""


class EngineUnavailable(QuarterdeckError):
    """No engine runs and none could be started, or it did not answer in time."""


class UsageError(QuarterdeckError):
    """The command line makes no sense."""

    exit_code = 2
