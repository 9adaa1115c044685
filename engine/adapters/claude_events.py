"""What stands in the lines that Claude Code prints with `--output-format stream-json`? Only what is read of them.

Format checked against version 2.1.329. What is not known here is passed over.
"""

from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from engine.telemetry.rows import BadRow, decode

T = TypeVar("T")


class Head(Struct, frozen=True):
    """Which kind of line it is."""

    type: str = ""
    subtype: str = ""


class Init(Struct, frozen=True):
    """`system/init`: at the start of each turn."""

    session_id: str | None = None
    model: str | None = None
    claude_code_version: str | None = None


class Usage(Struct, frozen=True):
    """Of one response. At its start the output is a placeholder."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None


class Block(Struct, frozen=True):
    """A piece of a message: text, thinking, the use of a tool or its result."""

    type: str = ""
    text: str = ""
    thinking: str = ""
    id: str = ""
    name: str = ""
    input: Any = None
    tool_use_id: str = ""
    content: Any = None
    is_error: bool | None = None


class Message(Struct, frozen=True):
    """What the model or the client's side of the conversation said."""

    id: str | None = None
    model: str | None = None
    content: str | list[Block] = ""
    usage: Usage | None = None


class Spoken(Struct, frozen=True):
    """`assistant`, a piece of a response once it is whole, and `user`, results of tools, and messages that it takes."""

    uuid: str = ""
    """Of a message that it takes: as it was told."""
    isReplay: bool = False
    """Whether it is such a message; what the client tells itself is one, too, with an id of its own."""
    message: Message = Message()
    parent_tool_use_id: str | None = None
    """Set in what a subagent says."""
    is_api_error_message: bool = False
    """Made up by the client: no model said it."""


class Delta(Struct, frozen=True):
    """More of a block."""

    type: str = ""
    text: str = ""
    thinking: str = ""


class ApiEvent(Struct, frozen=True):
    """An event of the provider's own stream."""

    type: str = ""
    index: int = 0
    message: Message | None = None
    delta: Delta | None = None
    usage: Usage | None = None


class Streamed(Struct, frozen=True):
    """`stream_event`: told while the model speaks, with `--include-partial-messages`."""

    event: ApiEvent = ApiEvent()
    parent_tool_use_id: str | None = None
    api_message_id: str | None = None


class Retry(Struct, frozen=True):
    """`system/api_retry`"""

    attempt: int = 0
    max_retries: int = 0
    retry_delay_ms: float = 0
    error_status: int | None = None
    error: str = ""


class Denied(Struct, frozen=True):
    """`system/permission_denied`"""

    tool_name: str = ""
    message: str = ""


class Fallback(Struct, frozen=True):
    """`system/model_fallback` and `system/model_refusal_fallback`: it goes on with another model."""

    content: str = ""
    """In the client's words."""
    original_model: str | None = None
    fallback_model: str | None = None


class AtWork(Struct, frozen=True):
    """A task in the background."""

    task_type: str = ""
    """`local_agent`, `local_bash`, ..."""


class Tasks(Struct, frozen=True):
    """`system/background_tasks_changed`: all that are at work now."""

    tasks: list[AtWork] = []


class Task(Struct, frozen=True):
    """`system/task_started` and `system/task_notification`"""

    description: str = ""
    status: str = ""
    summary: str = ""


class Limited(Struct, frozen=True):
    """`rate_limit_event`"""

    rate_limit_info: dict[str, Any] = {}


class ModelUsage(Struct, frozen=True):
    """What a model was used for, all its requests together."""

    inputTokens: int = 0
    outputTokens: int = 0
    cacheReadInputTokens: int = 0
    cacheCreationInputTokens: int = 0
    costUSD: float | None = None
    costBasis: str = ""


class Result(Struct, frozen=True):
    """`result`: a turn is over. There may be several, also of a single prompt, and some of none: where it was told
    that a task had ended."""

    subtype: str = ""
    is_error: bool = False
    result: str | None = None
    errors: list[str] = []
    terminal_reason: str | None = None
    api_error_status: int | None = None
    num_turns: int = 0
    modelUsage: Raw = Raw(b"{}")
    """Of the whole conversation, also of what it is a copy of."""
    model_usage_since_last_result: Raw = Raw()
    """Of this turn alone. Absent outside of stream-json."""


class Request(Struct, frozen=True):
    """What the client wants to know of whoever started it."""

    subtype: str = ""
    tool_name: str = ""
    input: Any = None
    tool_use_id: str = ""


class ControlRequest(Struct, frozen=True):
    """`control_request`; as `control_cancel_request` without the request itself."""

    request_id: str = ""
    request: Request = Request()


_DECODERS: dict[type[Any], msgspec.json.Decoder[Any]] = {}


def read(kind: type[T], line: bytes | Raw) -> T | None:
    """The line as this kind of record; None when it is none."""
    decoder: msgspec.json.Decoder[T] = _DECODERS.get(kind) or _DECODERS.setdefault(kind, msgspec.json.Decoder(kind))
    try:
        return decode(decoder, line)
    except BadRow:
        return None
