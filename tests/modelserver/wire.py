"""What has an API to know how to do? Each of the four is one object of these functions."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any
from uuid import uuid4

import msgspec

from tests.modelserver.asked import Asked, Usage, compact, tokens
from tests.modelserver.reply import Reply

LEAST_DELTAS, LONGEST_DELTA = 8, 2000


class Frame(msgspec.Struct, frozen=True):
    """One piece of a streamed answer."""

    data: dict[str, Any]
    output_chars: int = 0
    """Of the answer, in this piece; more than zero makes it a delta."""
    tells_usage: bool = False
    """The client knows the whole usage after this one."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """All that a wire needs to write one answer."""

    asked: Asked
    reply: Reply
    usage: Usage


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """One API."""

    content_type: str
    """Of a stream."""
    read: Callable[[dict[str, Any]], Asked]
    frames: Callable[[Answer], Iterator[Frame]]
    plain: Callable[[Answer], dict[str, Any]]
    encode: Callable[[dict[str, Any]], bytes]
    """One frame as it goes over the line."""
    broken: bytes
    """A frame that is no JSON."""
    end: bytes
    """After the last frame."""
    error: Callable[[str, str], dict[str, Any]]
    """The body of an error, from its type and message."""
    stream_error: Callable[[str, str], dict[str, Any]]
    """The same as a frame."""


def identifier(prefix: str) -> str:
    """New each time: readers of logs tell responses apart by it, over servers too."""
    return f"{prefix}_{uuid4().hex}"


def pieces(text: str) -> Iterable[str]:
    size = min(max(-(-len(text) // LEAST_DELTAS), 1), LONGEST_DELTA)
    return (text[at : at + size] for at in range(0, len(text), size))


def output_tokens(reply: Reply) -> int:
    """At least one: an answer always ends with something."""
    calls = sum(len(call.name) + len(compact(call.arguments)) for call in reply.calls)
    return max(tokens(len(reply.words) + len(reply.thinking) + calls), 1)


def reasoning_tokens(reply: Reply) -> int:
    return tokens(len(reply.thinking))


def data_line(data: dict[str, Any]) -> bytes:
    return f"data: {compact(data)}\n\n".encode("utf-8", "surrogatepass")


def event_lines(data: dict[str, Any]) -> bytes:
    return f"event: {data['type']}\n".encode() + data_line(data)
