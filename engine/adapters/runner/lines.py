"""What does the program put out, line by line? It is written here and read by `engine.adapters.models`."""

from typing import Any

from msgspec import Struct

from engine.contract.launch import RunUsage
from engine.contract.progress import Began, Noted, Said, Thought, ToolDone, ToolUse


class Used(Struct, frozen=True, tag="used"):
    """What all requests so far have used together."""

    usage: RunUsage
    rounds: int
    """How often the model was asked; a try that had to be repeated is none."""
    told: int
    """Requests that told their usage, those that cost nothing among them."""
    untold: int
    """Requests whose usage is estimated."""
    partial: bool
    raw: tuple[dict[str, Any], ...]
    """Of each request, as it was reported; the last ones."""


class Ended(Struct, frozen=True, tag="ended"):
    """The last line."""

    ok: bool
    why: str = ""
    resume_refused: bool = False
    unavailable: bool = False


Line = Began | Said | Thought | ToolUse | ToolDone | Noted | Used | Ended
