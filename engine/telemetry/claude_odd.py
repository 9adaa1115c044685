"""What does a usage object say that is not at standard terms, is damaged, or has keys that nobody knew?

The slow half of the Claude Code reader: few rows come here. Rules, from the public documentation of the Messages API:
- The top-level counts are those of the executor's own `message` iterations. `advisor_message` and `compaction`
  iterations are billed beside them, so each becomes a response of its own: `<key>#<place>`, on its own model.
- The flat cache-write count is the sum of the lifetimes. Where they differ the larger one counts.
- The object is kept as logged where it has a key that we do not know, or contradicts itself.
"""

from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct

from engine.telemetry.claude_rows import Fork, Lifetimes, Message, OutputDetails, Row, Usage, forked_from
from engine.telemetry.rows import count, decode, time_ms

_OWN, _SUB_CALLS = "message", ("advisor_message", "compaction")
_STANDARD_GEO = ("", "not_available", "global")
_LONGEST_FACTOR = 32


class _Lifetimes(Struct):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class _OutputDetails(Struct):
    thinking_tokens: int | None = None


class _ServerTools(Struct):
    web_search_requests: int | None = None
    web_fetch_requests: int | None = None


class _Counts(Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: _Lifetimes | None = None


class _Iteration(_Counts):
    type: str | None = None
    model: str | None = None


class _Usage(_Counts):
    output_tokens_details: _OutputDetails | None = None
    server_tool_use: _ServerTools | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    iterations: list[_Iteration] | None = None
    fallback_credit: Any = None


class _Message(Struct):
    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    usage: Raw = Raw(b"null")


class _Row(Struct):
    type: str | None = None
    timestamp: str | None = None
    isSidechain: bool | None = None
    isApiErrorMessage: bool | None = None
    forkedFrom: Any = None
    message: _Message | None = None


_ROW = msgspec.json.Decoder(_Row)
_USAGE = msgspec.json.Decoder(_Usage | None)
_KNOWN: dict[str, type[Struct]] = {
    "": _Usage,
    "cache_creation": _Lifetimes,
    "output_tokens_details": _OutputDetails,
    "server_tool_use": _ServerTools,
    "iterations": _Iteration,
}


class SubCall(NamedTuple):
    """A model call that the server made inside another one."""

    place: int
    """Among the iterations."""
    model: str | None
    usage: Usage


class Odd(NamedTuple):
    """A row in the plain shape, and what does not fit into it."""

    row: Row
    """Without its time, which may be in another form."""
    at_ms: int | None
    factors: str = ""
    raw: str | None = None
    sub_calls: tuple[SubCall, ...] = ()
    context_tokens: int | None = None
    """The size of the last own iteration, where there were several: the top-level counts are their sum."""


def read_odd(line: bytes) -> Odd:
    """A row in any shape. Raises `BadRow` as `decode` and `count` do."""
    told = decode(_ROW, line)
    row = Row(
        isSidechain=told.isSidechain,
        type=told.type,
        isApiErrorMessage=told.isApiErrorMessage,
        forkedFrom=Fork(forked_from(told.forkedFrom)) if told.forkedFrom else None,
    )
    at_ms = time_ms(told.timestamp)
    if told.type != "assistant" or told.message is None:
        return Odd(row, at_ms)
    row.message = Message(told.message.id, told.message.model, told.message.stop_reason)
    usage = decode(_USAGE, told.message.usage)
    if usage is None:
        return Odd(row, at_ms)
    row.message.usage = _plain(usage)
    row.message.usage.output_tokens_details = _thinking(usage)
    iterations = usage.iterations or []
    own = [_plain(iteration) for iteration in iterations if iteration.type == _OWN]
    return Odd(
        row,
        at_ms,
        _factors(usage),
        _as_logged(told.message.usage) if _is_strange(usage, told.message.usage) else None,
        tuple(
            SubCall(place, iteration.model or told.message.model, _plain(iteration))
            for place, iteration in enumerate(iterations)
            if iteration.type in _SUB_CALLS
        ),
        _size(own[-1]) if len(own) > 1 else None,
    )


def _size(usage: Usage) -> int:
    """The whole prompt and the output, tokens."""
    prompt = usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens
    return prompt + usage.output_tokens


def _plain(told: _Counts) -> Usage:
    """Counts only, with the larger of the two cache writes."""
    lifetimes, flat, nested = None, count(told.cache_creation_input_tokens), 0
    if told.cache_creation is not None:
        five, hour = told.cache_creation.ephemeral_5m_input_tokens, told.cache_creation.ephemeral_1h_input_tokens
        lifetimes, nested = Lifetimes(five, hour), count(five) + count(hour)
    return Usage(
        input_tokens=count(told.input_tokens),
        cache_creation_input_tokens=max(flat, nested),
        cache_read_input_tokens=count(told.cache_read_input_tokens),
        output_tokens=count(told.output_tokens),
        cache_creation=lifetimes,
    )


def _thinking(usage: _Usage) -> OutputDetails | None:
    told = usage.output_tokens_details.thinking_tokens if usage.output_tokens_details else None
    return None if told is None else OutputDetails(min(count(told), count(usage.output_tokens)))


def _factors(usage: _Usage) -> str:
    """What moves the price, as `Response.factors` has it."""
    searches = count(usage.server_tool_use.web_search_requests) if usage.server_tool_use else 0
    named = [name for name in (usage.speed, usage.service_tier) if name not in (None, "", "standard")]
    if usage.inference_geo is not None and usage.inference_geo not in _STANDARD_GEO:
        named.append(f"geo:{usage.inference_geo}")
    words = ["-".join(name.split())[:_LONGEST_FACTOR] for name in named if name]
    return " ".join([*words, f"web:{searches}"] if searches else words)


def _is_strange(usage: _Usage, logged: Raw) -> bool:
    written, lifetimes = usage.cache_creation_input_tokens, usage.cache_creation
    if lifetimes is not None:
        parts = count(lifetimes.ephemeral_5m_input_tokens) + count(lifetimes.ephemeral_1h_input_tokens)
        if written is not None and written != parts:
            return True
    details = usage.output_tokens_details
    if details is not None and count(details.thinking_tokens) > count(usage.output_tokens):
        return True
    kinds = {iteration.type for iteration in usage.iterations or ()}
    if usage.fallback_credit is not None or not kinds <= {_OWN, *_SUB_CALLS}:
        return True
    try:
        return _has_unknown_keys(msgspec.json.decode(logged), "")
    except (msgspec.DecodeError, ValueError, RecursionError):
        return True


def _has_unknown_keys(value: Any, place: str) -> bool:
    if isinstance(value, list):
        return any(_has_unknown_keys(item, place) for item in value)
    if not isinstance(value, dict) or place not in _KNOWN:
        return False
    if not value.keys() <= set(_KNOWN[place].__struct_fields__):
        return True
    return any(_has_unknown_keys(item, name) for name, item in value.items() if isinstance(item, dict | list))


def _as_logged(usage: Raw) -> str:
    return bytes(usage).decode("utf-8", "replace")
