"""What is one turn: whom to ask, with what, and what may its tools touch?"""

from typing import Literal

from msgspec import Struct

Api = Literal["anthropic", "responses", "chat", "ollama"]
Tool = Literal["read", "list", "search", "write", "edit"]
ANTHROPIC_URL = "https://api.anthropic.com"
OPENAI_URL = "https://api.openai.com/v1"
OLLAMA_URL = "http://127.0.0.1:11434"


class JobPart(Struct, frozen=True):
    """One piece of what is said."""

    text: str
    stable: bool = False
    """It stays byte-identical from run to run."""


class Retries(Struct, frozen=True):
    """How often, and how long, a server is asked again that cannot serve us now."""

    most: int = 4
    first_s: float = 0.5
    """The pause before the first one; each further one is twice as long."""
    longest_s: float = 20.0
    total_s: float = 60.0
    """So long after the first try nothing is tried again, and no longer pause is kept that the server asks for."""


class Job(Struct, frozen=True):
    """All that the program is told."""

    api: Api
    base_url: str
    model: str
    workspace: str
    folder: str
    """Where conversations are kept."""
    system: tuple[JobPart, ...]
    """What opens the conversation: sent with every request, in front of everything else."""
    message: tuple[JobPart, ...]
    """What is said now."""
    key_env: str | None = None
    """The variable that has the key."""
    tools: tuple[Tool, ...] = ()
    can_read: tuple[str, ...] = ()
    """Empty: everything in the workspace."""
    can_write: tuple[str, ...] = ()
    """Empty: nothing."""
    conversation: str | None = None
    """None: it is not kept."""
    resume: bool = False
    fork_of: str | None = None
    output_tokens: int = 8192
    """The most that one answer may have."""
    idle_s: float = 120.0
    """How long the server may be silent."""
    rounds: int = 30
    """How often tools may be used before an answer."""
    stop_turns: int | None = None
    """How often the model may be asked; None: as often as its tools want."""
    retries: Retries = Retries()

    @property
    def own_server(self) -> bool:
        """Whether it goes to somebody else than OpenAI itself, who may not know all that OpenAI knows."""
        return self.base_url != OPENAI_URL
