"""When is a turn of Claude Code over that we have asked for? Its end is not always the next one that it tells.

Measured on 2.1.329: it begins turns of its own accord, whenever a task in the background has ended, also while it waits
for us; and a conversation whose process was ended over such a task is resumed by a turn without any response. With
`--replay-user-messages` it tells each message that it takes, by the id that we gave it, before its model is asked, also
when that is broken off at once. What it tells itself comes back the same way, with other ids.
"""

import uuid

from engine.adapters.claude_events import Result, Spoken, Tasks

_OURS = "71646d73"
"""How the ids of our messages begin."""
_AWAITED = ("local_agent", "local_workflow")
"""Tasks that bring an answer. Any other may be a server that is to stay."""


def message_id() -> str:
    """For a message of ours."""
    return _OURS + str(uuid.uuid4())[len(_OURS) :]


class Turn:
    """The one that this run is, among all that its program tells."""

    def __init__(self, *, is_open: bool) -> None:
        """`is_open`: its input stays open, so that it tells what it takes, and waits for more in the end."""
        self._is_open = is_open
        self.is_ours = not is_open
        """Whether what it says now is said to us."""
        self._is_idle = False
        self._has_answered = False
        self._awaited = 0

    def begins(self) -> None:
        """A turn, whoever has asked for it."""
        self._is_idle = False

    def takes(self, spoken: Spoken) -> None:
        """A message, of ours or of its own."""
        self.is_ours = self.is_ours or (spoken.isReplay and spoken.uuid.startswith(_OURS))

    def changes(self, tasks: Tasks) -> None:
        """Other tasks are at work in the background."""
        self._awaited = sum(one.task_type in _AWAITED for one in tasks.tasks)

    def ends(self, result: Result) -> bool:
        """A turn; whether it belongs to what we have asked for."""
        self._is_idle = True
        is_ours = self.is_ours if self._is_open else self._has_answered or not is_note(result)
        self._has_answered = self._has_answered or is_ours
        return is_ours

    def is_over(self, result: Result) -> bool:
        """Whether nothing more comes of it after this end of a turn of ours."""
        return self._is_open and (self._awaited == 0 or result.is_error)

    def leaves(self) -> bool:
        """It has heeded an interrupt; whether it had answered by then, so that no end of a turn comes for that."""
        return self._is_open and self._is_idle and self._has_answered


def is_note(result: Result) -> bool:
    """Whether this turn was none: it took note of a task."""
    return not (result.num_turns or result.is_error or result.result)
