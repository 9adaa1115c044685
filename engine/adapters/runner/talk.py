"""What is said in a conversation, whichever API it goes through? It is kept like this, so that it can go on through
another one."""

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct

from engine.contract.launch import RunUsage

BYTES_PER_TOKEN = 4
"""For an estimate, where nothing else is known."""


class Text(Struct, frozen=True, tag="text", omit_defaults=True):
    """Words."""

    text: str
    stable: bool = False


class Call(Struct, frozen=True, tag="call"):
    """The model wants a tool used."""

    id: str
    name: str
    arguments: str
    """JSON, as it came."""


class Result(Struct, frozen=True, tag="result"):
    """What came of it."""

    id: str
    name: str
    text: str
    ok: bool


class Kept(Struct, frozen=True, tag="kept"):
    """What only one API understands and wants to have back as it was: signed thoughts."""

    api: str
    data: str
    """JSON."""


Block = Text | Call | Result | Kept


class Message(Struct, frozen=True):
    """What one side says at once."""

    role: Literal["user", "assistant", "results"]
    blocks: tuple[Block, ...]


class Told(Struct, frozen=True):
    """The usage of one request as its API tells it, each token in one of these. None: not told."""

    input_tokens: int | None = None
    """Uncached."""
    output_tokens: int | None = None
    """Reasoning included."""
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    """The part of the writes that lives for an hour."""
    reasoning_tokens: int | None = None


NOTHING = RunUsage(0, 0)
Stop = Literal["end", "calls", "length", "refusal", "cut"]
"""`cut`: it did not come to its end."""


class Answer(Struct, frozen=True):
    """One answer as far as it came."""

    blocks: tuple[Block, ...]
    told: Told
    stop: Stop
    reported: dict[str, Any] = {}
    """The usage as the API reports it."""

    @property
    def calls(self) -> tuple[Call, ...]:
        return tuple(block for block in self.blocks if isinstance(block, Call))

    @property
    def received_bytes(self) -> int:
        return sum(len(_words(block).encode("utf-8", "replace")) for block in self.blocks)


def _words(block: Block) -> str:
    if isinstance(block, Call):
        return block.name + block.arguments
    return block.data if isinstance(block, Kept) else block.text


def stop_of(reason: Stop | None, blocks: Sequence[Block]) -> Stop:
    """Why a whole answer ends: as its API says where that is known, else by what is in it."""
    if reason is not None:
        return reason
    return "calls" if any(isinstance(block, Call) for block in blocks) else "end"


def texts(message: Message) -> list[str]:
    """Its words, without those that say nothing: APIs refuse them."""
    return [block.text for block in message.blocks if isinstance(block, Text) and block.text.strip()]


def joined(message: Message) -> str:
    return "\n".join(texts(message))
