"""When must a run be ended that would go on? Its deadline, its silence, and the turns of a client that is held open.

Standard library alone, as all that a keeper imports."""

import json
import time

from engine.execution.job import Job

IDLE = "idle"
"""No outcome: its input is closed, and it is given the grace to leave."""

ASKING = "asking"
"""A file that is there while the client waits for somebody's word."""

Limit = tuple[float, str, str]
"""Seconds that are left, the outcome once they are over, and why."""


class Turn:
    """The fields of Turn in `turn.json`. Raises ValueError, KeyError or TypeError when they are not there."""

    def __init__(self, text: bytes) -> None:
        fields = json.loads(text)
        self.busy = bool(fields["busy"])
        self.until_s = float(fields["until_boottime_s"])


class Limits:
    """The limits of one run, as they stand; times are monotonic but where they are called otherwise."""

    def __init__(self, job: Job, started: float, deadline: float) -> None:
        self._job = job
        self._deadline = deadline
        self._heard = started
        self._leave_by: float | None = None
        self._turn: Turn | None = None
        self._text = b""
        self._asks = False

    def heard(self, now: float) -> None:
        """It has put something out."""
        self._heard = now

    def told(self, text: bytes, now: float) -> None:
        """What stands in `turn.json`. Silence begins anew with each turn. Raises as Turn does."""
        if text != self._text:
            self._turn, self._text = Turn(text), text
            self._heard = max(self._heard, now)

    def asks(self, waits: bool, now: float) -> None:
        """Whether it waits for somebody's word: then it is not its silence. That begins anew afterwards."""
        if self._asks and not waits:
            self._heard = max(self._heard, now)
        self._asks = waits

    def leave(self, now: float) -> None:
        """Its input was closed because nobody wanted anything of it any more."""
        self._leave_by = now + self._job.grace_s

    def next(self, now: float, boottime_s: float) -> Limit:
        """The one that is met first, if nothing changes."""
        if self._leave_by is not None:
            return self._leave_by - now, "succeeded", "ended while it waited for a turn"
        if self._turn is not None and not self._turn.busy:
            return self._turn.until_s - boottime_s, IDLE, ""
        if self._turn is None:
            limits = [(self._deadline - now, "timed_out", f"timed out after {self._job.timeout_s:g} s")]
        else:
            limits = [(self._turn.until_s - boottime_s, "timed_out", "its turn timed out")]
        if self._job.silence_s is not None and not self._asks:
            limits.append((self._heard + self._job.silence_s - now, "silent", f"silent for {self._job.silence_s:g} s"))
        return min(limits)

    def left_s(self) -> float:
        return self.next_now()[0]

    def next_now(self) -> Limit:
        return self.next(time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME))
