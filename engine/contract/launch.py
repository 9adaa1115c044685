"""What a prompt is made of, and what an adapter makes of it: a child process to start, and what came out of it."""

from pathlib import Path
from typing import Literal, Protocol

from msgspec import Struct

PartKind = Literal["instructions", "bootstrap", "skills", "tools", "file", "prompt", "task"]
OPENING: tuple[PartKind, ...] = ("instructions", "bootstrap", "skills", "tools")
"""What opens a conversation: not sent again while it goes on and nothing of it changes."""


class Part(Struct, frozen=True):
    """One piece of a prompt, with its text. Its receipt is the same without the text."""

    kind: PartKind
    source: str
    """Where it came from: a path relative to the workspace, or what composed it."""
    text: str
    tokens: int
    sha256: str
    stable: bool
    """True when it stays byte-identical from run to run, so that a provider's cache can hit."""
    sent: bool = True
    """False: the conversation holds it already, so it is not sent again."""


class Prompt(Struct, frozen=True):
    """All parts in their order: stable ones first, what changes last."""

    parts: tuple[Part, ...]

    @property
    def sent(self) -> tuple[Part, ...]:
        """Without those that the conversation holds already."""
        return tuple(part for part in self.parts if part.sent)

    @property
    def tokens(self) -> int:
        """Of what is sent."""
        return sum(part.tokens for part in self.sent)

    @property
    def chars(self) -> int:
        """Of what is sent."""
        return sum(len(part.text) for part in self.sent)


class AdapterRequest(Struct, frozen=True):
    """All that an adapter may know of a run in order to start it."""

    prompt: Prompt
    workspace: str
    argv: tuple[str, ...]
    """For `command`: what to run. Empty for the others."""
    argv_resume: tuple[str, ...]
    """For `command`: what to run when the conversation goes on; empty when it cannot."""
    model: str | None
    tools: tuple[str, ...] | None
    provider_id: str | None
    """The conversation to resume, or the id to give to a new one."""
    resume: bool
    agent_state: str
    """A folder of the adapter's own, 0700, that outlives the run."""
    can_write: tuple[str, ...]
    output_limit_tokens: int


class Launch(Struct, frozen=True):
    """A child process: what the keeper starts. `stdin` is written to a file that the child gets as its input."""

    argv: tuple[str, ...]
    stdin: str
    env: dict[str, str]
    """Added to the allow-listed environment."""


class RunUsage(Struct, frozen=True):
    """What a run reports to have used. `None` as a whole means unknown: settled at its estimate, and marked."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_microusd: int | None = None


class AdapterResult(Struct, frozen=True):
    """What an adapter makes of a finished child's output."""

    text: str
    """What the agent answered."""
    ok: bool
    why: str = ""
    """Why it failed, in one line, when it did."""
    usage: RunUsage | None = None
    streamed: bool = False
    """The usage is the sum of what it told while it went."""
    raw_usage: str | None = None
    """The usage as the agent itself reported it, as JSON."""
    resume_refused: bool = False
    """The provider does not know the conversation (any more)."""


class Adapter(Protocol):
    """One way to speak to an agent or a model."""

    name: str
    free: bool
    """Whether its runs cost no money."""

    def resumes(self, argv_resume: tuple[str, ...]) -> bool:
        """Whether a conversation can be continued at all, by an agent that declares this."""

    def launch(self, request: AdapterRequest) -> Launch:
        """The child to start for this request."""

    def used(self, folder: Path) -> RunUsage | None:
        """What the run in this folder has told of its usage so far; None when it has told nothing."""

    def result(self, stdout: bytes, stderr: bytes, exit_code: int | None) -> AdapterResult:
        """What its output means; `exit_code` is None when it ended by a signal."""
