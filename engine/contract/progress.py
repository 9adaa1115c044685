"""What does an agent tell while it works? One vocabulary for every adapter."""

from msgspec import Struct

from engine.contract.launch import AdapterResult


class Began(Struct, frozen=True, tag="began"):
    """The conversation, as the agent's program names it; told at the start, again at each turn or never."""

    provider_id: str | None = None
    """Under which it can be resumed."""
    model: str | None = None
    """As the program resolved it."""
    version: str | None = None
    """Of the program."""


class Said(Struct, frozen=True, tag="said"):
    """More of the answer, to be put behind what was said before."""

    text: str


class Thought(Struct, frozen=True, tag="thought"):
    """More of what it thinks, where that is told."""

    text: str


class ToolUse(Struct, frozen=True, tag="tool_use"):
    """It uses a tool."""

    id: str
    tool: str
    what: str
    """In one line: the command, the path, the question."""


class ToolDone(Struct, frozen=True, tag="tool_done"):
    """What became of that."""

    id: str
    ok: bool
    what: str
    """The first line of the result."""


class Asks(Struct, frozen=True, tag="asks"):
    """It wants to do something that it may not do unasked. It waits until it is answered."""

    id: str
    """Of the request, as the program names it."""
    tool: str
    what: str
    """All that it wants to do, as text: nothing of it is left out."""
    path: str | None = None
    """The one file that it wants to write, absolute, where it is that."""


class Answered(Struct, frozen=True, tag="answered"):
    """What it asked has been answered, by whomever: nobody need answer it any more."""

    id: str


class Noted(Struct, frozen=True, tag="noted"):
    """What the operator should know: a retry, an overloaded provider, something denied."""

    kind: str
    """`retry`, `limited`, `denied`, `warning`, ..."""
    text: str


class TurnOver(Struct, frozen=True, tag="turn_over"):
    """It has answered and waits for the next message, where its input is still open."""

    result: AdapterResult


Progress = Began | Said | Thought | ToolUse | ToolDone | Asks | Answered | Noted | TurnOver
