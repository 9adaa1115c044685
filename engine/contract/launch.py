"""What a prompt is made of, and what an adapter makes of it: a child process to start, and what came out of it."""

from typing import Literal

from msgspec import Struct

from engine.contract.route import Keep, Permissions, Read

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


class Service(Struct, frozen=True):
    """Where an adapter finds what it speaks to, as declared."""

    program: str | None = None
    """None: by its usual name, on the engine's PATH."""
    home: str | None = None
    """The folder in which the program keeps its settings, logins and conversations; None: the usual one."""
    base_url: str | None = None
    api: str | None = None
    """`responses` or `chat`, for `openai`."""
    idle_s: float = 120.0
    """How long a server may be silent."""
    key_known: bool = False
    """Whether a key is declared, or there by itself: it comes in the environment variable `Adapter.key_env`."""


class Wanted(Struct, frozen=True):
    """What is asked of an adapter before anything is spent: can this be started at all, and what will it send?"""

    workspace: str
    service: Service
    model: str | None
    tools: tuple[str, ...] | None
    keep: tuple[Keep, ...] | None
    argv: tuple[str, ...] = ()
    argv_resume: tuple[str, ...] = ()
    inject: tuple[str, ...] = ()
    permissions: Permissions = "deny"


class RunUsage(Struct, frozen=True):
    """What a run reports to have used. `None` as a whole means unknown: settled at its estimate, and marked."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_microusd: int | None = None


class AdapterRequest(Struct, frozen=True):
    """All that an adapter may know of a run in order to start it."""

    prompt: Prompt
    workspace: str
    argv: tuple[str, ...]
    """For `command` and `acp`: what to run. Empty for the others."""
    argv_resume: tuple[str, ...]
    """For `command`: what to run when the conversation goes on; empty when it cannot."""
    model: str | None
    tools: tuple[str, ...] | None
    provider_id: str | None
    """The conversation to resume, or the id to give to a new one, where the provider takes one."""
    resume: bool
    agent_state: str
    """A folder of the adapter's own, 0700, that outlives the run."""
    can_write: tuple[str, ...]
    output_limit_tokens: int
    run_folder: str = ""
    """The folder of this run, private, in which `Launch.files` are put."""
    service: Service = Service()
    keep: tuple[Keep, ...] | None = None
    permissions: Permissions = "deny"
    can_read: tuple[str, ...] = ()
    read: Read = "open"
    before: RunUsage | None = None
    """What the conversation had used before this run, as booked: providers report totals of it. None: nothing."""
    fork_of: str | None = None
    """The conversation that this one begins as a copy of; that one stays as it is."""
    contained: bool = False
    """The kernel holds it to its scope already: a sandbox of its own could not be put up within that one."""
    held: bool = False
    """Its program is kept after the answer, for the next turn: its input stays open."""
    stop_turns: int | None = None
    """How often it may ask its model. Whoever asks it himself stops there; others are ended when they are over it."""


class Launch(Struct, frozen=True):
    """A child process: what the keeper starts. `stdin` is written to a file that the child gets as its input."""

    argv: tuple[str, ...]
    stdin: str
    env: dict[str, str]
    """Added to the allow-listed environment."""
    files: dict[str, str] = {}
    """Put into the run's folder before it starts: settings, a system prompt. Names without a slash."""
    input_open: bool = False
    """After `stdin` more may come: messages, answers to what it asks."""
    state_paths: tuple[str, ...] = ()
    """Files and folders of the program's own that it must be able to write, whatever the run's scope is."""
    read_paths: tuple[str, ...] = ()
    """The same for what it must be able to read."""
    output_cap: int = 4 * 1024 * 1024
    """Bytes of stdout, and of stderr, that are kept."""


class AdapterResult(Struct, frozen=True):
    """What an adapter makes of a finished child's output, or of a turn's."""

    text: str
    """What the agent answered."""
    ok: bool
    why: str = ""
    """Why it failed, in one line, when it did."""
    usage: RunUsage | None = None
    """Of this run alone: a total over a conversation is differenced first."""
    streamed: bool = False
    """The usage is the sum of what it told while it went."""
    raw_usage: str | None = None
    """The usage as the agent itself reported it, as JSON."""
    resume_refused: bool = False
    """The provider does not know the conversation (any more)."""
    unavailable: bool = False
    """The model could not be reached, or would not serve us: another one may."""
    turns: int | None = None
    """How often it asked its model."""
