"""What is the server to do with a request? A `Reply` says it; a `Script` is a queue of them, written in Python."""

from collections import deque
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from tests.modelserver.asked import Asked, Usage

Where = Literal["headers", "mid"]
"""Before any byte of the answer, or after half of its deltas."""


class ToolCall(msgspec.Struct, frozen=True):
    """One call that the model asks the client for."""

    name: str
    arguments: Any = {}
    """Sent as JSON; a string is the whole input of a free-form tool."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """One answer, with what goes wrong on its way."""

    text: str | None = None
    """`None` says "ok", or nothing where there are calls."""
    calls: tuple[ToolCall, ...] = ()
    """All in this one answer."""
    thinking: str = ""
    max_tokens: bool = False
    """The stop reason: the answer was cut at its allowed length."""
    usage: Usage | None = None
    """Reported and billed instead of what the rules give."""
    error_status: int | None = None
    retry_after_s: int | None = None
    """Only with an error."""
    hang: Where | None = None
    drop: Where | None = None
    malformed: bool = False
    """One frame that is no JSON, among the others; a plain answer is no JSON at all."""
    stream_error: str | None = None
    """The type of an error event after half of the deltas; a plain answer is a status 500 of this type."""
    delay_ms: int = 0
    """Before the headers."""
    delta_ms: int = 0
    """Before each delta."""

    @property
    def words(self) -> str:
        return self.text if self.text is not None else "" if self.calls else "ok"


class Script:
    """Replies in order, for the requests that `match` picks (all model calls unless given).

    Clients ask for more than their prompt, a title for instance: pick by `asked.prompt` or `asked.tools` where that
    matters. Requests that are not picked, and those after the last reply, follow the marks in their prompt.
    """

    def __init__(self, *replies: Reply, match: Callable[[Asked], bool] | None = None) -> None:
        self._left = deque(replies)
        self._match = match

    def __len__(self) -> int:
        return len(self._left)

    def add(self, *replies: Reply) -> None:
        self._left.extend(replies)

    def next(self, asked: Asked) -> Reply | None:
        """The next reply, if this request is to have one."""
        if self._left and (self._match is None or self._match(asked)):
            return self._left.popleft()
        return None
