"""What does a request ask for, whichever API it speaks? And what is a token here?

A token is 4 characters, rounded up over the whole of what is counted. A text counts as its length, anything else as
its JSON without spaces. Counted are system, tools and messages; parameters are not.
"""

import json
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

CHARS_PER_TOKEN = 4
Part = Literal["system", "tools", "messages"]
Caching = Literal["marked", "automatic", "none"]
NOT_SAID_BY_THE_USER = (
    "<system-reminder>",
    "<environment_context>",
    "<user_instructions>",
    "<permissions",
    "<turn_aborted>",
    "# AGENTS.md",
)
"""How texts begin that clients put into a user's turn by themselves."""


class Usage(msgspec.Struct, frozen=True):
    """Tokens of one request. No field contains another, but for the two that say so."""

    input_tokens: int = 0
    """Neither read from the cache nor written to it."""
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    """Of those written: for an hour instead of five minutes."""
    reasoning_tokens: int = 0
    """Of the output."""

    @property
    def prompt_tokens(self) -> int:
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(*(getattr(self, name) + getattr(other, name) for name in self.__struct_fields__))


class Block(msgspec.Struct, frozen=True):
    """The smallest piece that a prompt's cache can end at."""

    part: Part
    identity: str
    """What makes two blocks the same one."""
    chars: int
    ttl: Literal["5m", "1h"] | None = None
    """The cache is marked to end here."""


class Tool(msgspec.Struct, frozen=True):
    """A tool that the client declared."""

    name: str
    free_form: bool = False
    """Takes any text instead of JSON."""
    namespace: str | None = None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One request, understood."""

    model: str
    stream: bool
    prompt: str
    """The last that the user said."""
    answered_calls: int
    """Results of tools since then."""
    tools: tuple[Tool, ...]
    blocks: tuple[Block, ...]
    caching: Caching
    cache_scope: str
    """Prompts share a cache within it."""
    wants_usage: bool = True

    @property
    def tokens(self) -> int:
        return tokens(sum(block.chars for block in self.blocks))

    def chars(self, part: Part) -> int:
        return sum(block.chars for block in self.blocks if block.part == part)


def tokens(chars: int) -> int:
    return -(-chars // CHARS_PER_TOKEN)


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def block(part: Part, role: str, value: Any) -> Block:
    """One block of a prompt. Its id and its cache marker are no part of what it is."""
    kept = {key: kept for key, kept in value.items() if key not in ("cache_control", "id")}
    text = value.get("text")
    chars = len(text) if isinstance(text, str) else len(compact(kept))
    marker = value.get("cache_control")
    ttl = marker.get("ttl", "5m") if marker else None
    return Block(part, f"{part} {role} {compact(kept)}", chars, ttl)


def contents(content: Any) -> list[dict[str, Any]]:
    """A message's content as blocks, whether it came as text or as a list."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [{"type": "text", "text": one} if isinstance(one, str) else one for one in content or ()]


def said(content: Any) -> str:
    """The texts of a user's turn that the user wrote."""
    texts = (str(one.get("text", "")) for one in contents(content) if one.get("type") in ("text", "input_text"))
    return "\n".join(text for text in texts if not text.lstrip().startswith(NOT_SAID_BY_THE_USER))


def part_of(role: str) -> Part:
    return "system" if role in ("system", "developer") else "messages"


def turn(turns: Iterable[tuple[str, set[str]]]) -> tuple[str, int]:
    """The last thing that the user said, and how many calls have a result since; each turn is (said, results)."""
    prompt, answered = "", set[str]()
    for text, results in turns:
        if text:
            prompt, answered = text, set()
        else:
            answered |= results
    return prompt, len(answered)
