"""What has each API to know how to do? How it is asked, and how its answer is read."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from msgspec import Struct

from engine.adapters.runner.job import Job
from engine.adapters.runner.talk import Answer, Message
from engine.contract.progress import Said, Thought

Heard = list[Said | Thought]


class Splitter(Protocol):
    """Bytes in, frames out."""

    def feed(self, chunk: bytes) -> list[bytes]:
        """The frames that are whole now."""

    def end(self) -> list[bytes]:
        """What was left when the stream ended."""


class Decoder(Protocol):
    """Reads one answer, frame by frame."""

    @property
    def answer(self) -> Answer:
        """As far as it has come."""

    def take(self, frame: bytes) -> Heard:
        """One more frame; what is new in it. Raises Malformed or Declined."""


class Wire(Struct, frozen=True):
    """One API."""

    path: str
    body: Callable[[Job, Sequence[Message], int], dict[str, Any]]
    """The request: the job, all messages, and how many of them were said in earlier turns."""
    headers: Callable[[str], dict[str, str]]
    """With this key."""
    splitter: Callable[[], Splitter]
    decoder: Callable[[], Decoder]
    count_path: str | None = None
    """Where the provider counts the tokens of a request; None where it does not."""
    count_keys: tuple[str, ...] = ()
    """What of the request it wants for that."""


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}
