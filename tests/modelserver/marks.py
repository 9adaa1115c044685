"""Which marks stand in a prompt, and what reply do they ask for? The table of marks is in the package's docstring."""

import json
import re
from collections.abc import Callable
from typing import Any

import msgspec

from tests.modelserver.asked import Asked, Usage
from tests.modelserver.reply import Reply, ToolCall

OPEN, CLOSE = "[[", "]]"
QUOTED = re.compile(r"<session>.*?</session>", re.DOTALL)
"""So Claude's request for a title quotes the user's prompt: its marks are not meant for that."""
USAGE_NAMES = {
    "in": "input_tokens",
    "out": "output_tokens",
    "read": "cache_read_tokens",
    "write": "cache_write_tokens",
    "write1h": "cache_write_1h_tokens",
    "reasoning": "reasoning_tokens",
}


class Mark(msgspec.Struct, frozen=True):
    """One mark: `[[name]]` or `[[name:value]]`."""

    name: str
    value: str = ""

    @property
    def source(self) -> str:
        return f"{OPEN}{self.name}:{self.value}{CLOSE}" if self.value else f"{OPEN}{self.name}{CLOSE}"


class Limited(msgspec.Struct, frozen=True):
    """A mark's value, and for how many requests it holds; `None` is all of them."""

    value: str
    requests: int | None


class BadMark(ValueError):
    """A mark that cannot be understood: the server answers 400 with the reason."""


def find(text: str) -> tuple[Mark, ...]:
    """The marks of a text in order. A mark within another one's value belongs to that value."""
    found = []
    text = QUOTED.sub("", text)
    at = text.find(OPEN)
    while at >= 0:
        mark, end = _read(text, at + len(OPEN))
        found.append(mark)
        at = text.find(OPEN, end)
    return tuple(found)


def _read(text: str, at: int) -> tuple[Mark, int]:
    if text.startswith("tool:", at):
        return _read_tool(text, at + len("tool:"))
    end = _end(text, at)
    name, _, value = text[at:end].partition(":")
    return Mark(name, value), end + len(CLOSE)


def _read_tool(text: str, at: int) -> tuple[Mark, int]:
    """The arguments are JSON, which may hold any brackets."""
    colon, close = text.find(":", at), text.find(CLOSE, at)
    if colon < 0 or 0 <= close < colon:
        return Mark("tool", text[at:close]), close + len(CLOSE)
    try:
        _, end = json.JSONDecoder().raw_decode(text, colon + 1)
    except json.JSONDecodeError as error:
        raise BadMark(f"the arguments of [[tool:{text[at:colon]}:...]] are no JSON: {error}") from None
    if not text.startswith(CLOSE, end):
        raise BadMark(f"[[tool:{text[at:colon]}:...]] does not end after its JSON")
    return Mark("tool", text[at:end]), end + len(CLOSE)


def _end(text: str, at: int) -> int:
    depth = 1
    while depth:
        opens, closes = text.find(OPEN, at), text.find(CLOSE, at)
        if closes < 0:
            raise BadMark(f"a mark is not closed: {text[at : at + 40]!r}")
        nested = 0 <= opens < closes
        depth += 1 if nested else -1
        at = (opens if nested else closes) + len(CLOSE)
    return at - len(CLOSE)


def limited(mark: Mark) -> Limited:
    """`error:STATUS:N`, `drop:WHERE:N`, `malformed:N`: the number at the end, if there is one."""
    first, _, rest = mark.value.rpartition(":")
    if first and rest.isdecimal():
        return Limited(first, int(rest))
    if mark.name == "malformed" and mark.value.isdecimal():
        return Limited("", int(mark.value))
    return Limited(mark.value, None)


def reply(asked: Asked, marks: tuple[Mark, ...], seen: int) -> Reply:
    """What the marks ask of this request, of which `seen` came before with the same prompt in the same session."""
    calls = [_call(mark.value) for mark in marks if mark.name == "tool"]
    wanted: dict[str, Any] = {}
    for mark in marks:
        if mark.name in SETS:
            limit = limited(mark) if mark.name in LIMITED else Limited(mark.value, None)
            if limit.requests is None or seen < limit.requests:
                wanted |= _set(mark, limit.value)
        elif mark.name != "tool":
            raise BadMark(f"there is no mark {mark.source}")
    if asked.answered_calls < len(calls):
        wanted |= {"calls": (calls[asked.answered_calls],), "text": None}
    return Reply(**wanted)


def _call(value: str) -> ToolCall:
    name, _, arguments = value.partition(":")
    return ToolCall(name, json.loads(arguments) if arguments else {})


def _set(mark: Mark, value: str) -> dict[str, Any]:
    try:
        return SETS[mark.name](value)
    except (ValueError, KeyError) as error:
        raise BadMark(f"{mark.source} cannot be understood: {error}") from None


def _where(value: str) -> str:
    if value not in ("headers", "mid"):
        raise ValueError("it is headers or mid")
    return value


def _usage(value: str) -> Usage:
    pairs = (pair.partition("=") for pair in value.split(","))
    return Usage(**{USAGE_NAMES[name.strip()]: int(number) for name, _, number in pairs})


SETS: dict[str, Callable[[str], dict[str, Any]]] = {
    "say": lambda value: {"text": value},
    "big": lambda value: {"text": ("0123456789" * (int(value) // 10 + 1))[: int(value)]},
    "think": lambda value: {"thinking": value},
    "max_tokens": lambda _: {"max_tokens": True},
    "usage": lambda value: {"usage": _usage(value)},
    "error": lambda value: {"error_status": int(value)},
    "retryafter": lambda value: {"retry_after_s": int(value)},
    "hang": lambda value: {"hang": _where(value)},
    "drop": lambda value: {"drop": _where(value)},
    "malformed": lambda _: {"malformed": True},
    "sseerror": lambda value: {"stream_error": value},
    "delay": lambda value: {"delay_ms": int(value)},
    "slow": lambda value: {"delta_ms": int(value)},
}
LIMITED = ("error", "hang", "drop", "malformed", "sseerror")
