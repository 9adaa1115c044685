"""Which lines go into the program, and which come out? JSON, one object per line.

In: the job, and after it, while the input is open, `{"message": "..."}`, `{"answer": "3", "allow": true, "why": ""}`
and `{"interrupt": true}`. Out: what is told of the work, each by its `type` (see `engine.contract.progress`), and
`used` with what is known of its usage within a turn.
"""

from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec import Struct

from engine.contract.progress import (
    Answered,
    Asks,
    Began,
    Noted,
    Progress,
    Said,
    Thought,
    ToolDone,
    ToolUse,
    TurnOver,
)
from engine.contract.route import Permissions

SAID_MOST = 64 * 1024
"""Characters of one line of text; what is longer takes several."""


class Job(Struct, frozen=True, kw_only=True):
    """What is to be done. Times in seconds."""

    argv: tuple[str, ...]
    cwd: str
    prompt: str
    begin: Literal["new", "load", "fork"] = "new"
    session: str | None = None
    """The conversation to load, or to begin as a copy of."""
    model: str | None = None
    """To be chosen over the protocol; None: as the agent has it, or as its argv says."""
    tools: tuple[str, ...] | None = None
    keep: tuple[str, ...] | None = None
    can_read: tuple[str, ...] = ()
    """Empty: anywhere in the workspace."""
    can_write: tuple[str, ...] = ()
    permissions: Permissions = "deny"
    held: bool = False
    """After the answer it waits for the next message, until its input ends."""
    before_microusd: int | None = None
    """What the conversation had cost, where the agent may tell totals of it."""
    start_s: float = 30.0
    """How long the agent may take to say what it is."""
    open_s: float = 120.0
    """How long it may take to begin a conversation or to take one up."""
    leave_s: float = 10.0
    """How long it may take to leave a turn."""


class Word(Struct, frozen=True):
    """One line after the job: exactly one of `message`, `answer` and `interrupt` is there."""

    message: str | None = None
    answer: str | None = None
    """The id of what was asked."""
    allow: bool = False
    why: str = ""
    interrupt: bool = False


class Used(Struct, frozen=True, tag="used"):
    """How full the agent's context is while it works: its turn has used at least so much."""

    tokens: int


Line = Began | Said | Thought | ToolUse | ToolDone | Asks | Answered | Noted | TurnOver | Used
Tell = Callable[[Progress | Used], None]

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Line)
_job = msgspec.json.Decoder(Job)
_word = msgspec.json.Decoder(Word)


def encoded(line: Struct) -> bytes:
    return _encoder.encode(line) + b"\n"


def read_line(line: bytes) -> Line | None:
    """What the program told; None for what it cannot have written, as where its output was cut."""
    try:
        found: Line = _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return found


def read_job(line: bytes) -> Job:
    """Raises msgspec.MsgspecError."""
    return _job.decode(line)


def read_word(line: bytes) -> Word:
    """Raises msgspec.MsgspecError."""
    return _word.decode(line)


def clean(text: str) -> str:
    """Without what cannot be written as UTF-8: JSON can carry half a character."""
    return text.encode("utf-8", "replace").decode()


def in_one_line(text: str, chars: int = 200) -> str:
    """The first line that says anything, cut."""
    lines = (line.strip() for line in text.splitlines())
    return next((line for line in lines if line), "")[:chars]
