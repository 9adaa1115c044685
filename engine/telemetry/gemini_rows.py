"""Which fields of Gemini CLI's chat records does accounting want, and how do its token counts become ours?"""

from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct

from engine.telemetry.rows import BadRow, count, decode

_NULL = Raw(b"null")
_KNOWN = {"input", "output", "cached", "thoughts", "tool", "total"}
# A usage object is some 80 bytes; a larger one is not worth keeping as evidence.
_RAW_BYTES = 2_000
# The client's own first message of a session, and commands to the client itself.
_NOT_TYPED = ("<session_context>", "This is the Gemini CLI.", "/", "?")


class Tokens(NamedTuple):
    """A `tokens` object. The whole request is `input + tool + output + thoughts`."""

    input: int
    """The prompt; cached tokens are inside it."""
    output: int
    """Without thoughts: they are beside it."""
    cached: int
    thoughts: int
    tool: int
    """Results of the provider's own tools, given back to the model: prompt beside `input`."""
    raw: str | None
    """The object as logged, where it has other keys or contradicts itself."""

    def is_request(self) -> bool:
        """Whether anything was spent; a total without parts is no response."""
        return any((self.input, self.output, self.cached, self.thoughts, self.tool))

    def context(self) -> int:
        """The whole prompt and all that was generated."""
        return self.input + self.tool + self.output + self.thoughts


class _Counts(Struct, gc=False):
    input: int | None = None
    output: int | None = None
    cached: int | None = None
    thoughts: int | None = None
    tool: int | None = None
    total: int | None = None


class Row(Struct):
    """A header, a message, a patch or a whole document; what no count hangs on may have any type."""

    id: Any = None
    type: Any = None
    timestamp: Any = None
    model: Any = None
    tokens: Raw = _NULL
    content: Raw = _NULL
    displayContent: Raw = _NULL
    sessionId: Any = None
    startTime: Any = None
    lastUpdated: Any = None
    kind: Any = None
    messages: Raw = _NULL
    patch: Raw = msgspec.field(name="$set", default=_NULL)


ROW = msgspec.json.Decoder(Row)
MESSAGES = msgspec.json.Decoder(list[Raw] | None)
_COUNTS = msgspec.json.Decoder(_Counts | None)
_KEYS = msgspec.json.Decoder(dict[str, Raw])
_CONTENT = msgspec.json.Decoder(Any)


def text(value: Any) -> str | None:
    """The value if it is a text with something in it."""
    return value if isinstance(value, str) and value else None


def tokens_of(raw: Raw) -> Tokens | None:
    """The counts of a message; `None` where it has none (yet). Raises `BadRow`."""
    told = decode(_COUNTS, raw)
    if told is None:
        return None
    parts = [count(part) for part in (told.input, told.output, told.cached, told.thoughts, told.tool)]
    prompt, output, cached, thoughts, tool = parts
    whole = prompt + output + thoughts + tool
    agrees = cached <= prompt and count(told.total) in (0, whole)
    odd = not (agrees and decode(_KEYS, raw).keys() <= _KNOWN)
    kept = bytes(raw).decode("utf-8", "replace") if odd and len(bytes(raw)) <= _RAW_BYTES else None
    return Tokens(prompt, output, cached, thoughts, tool, kept)


def typed_words(row: Row) -> str | None:
    """What the operator typed; without what the client adds, such as files that were named with `@`."""
    if row.type != "user":
        return None
    for shown in (row.displayContent, row.content):
        typed = (words.strip() for words in _texts(shown))
        found = next((words for words in typed if words and not words.startswith(_NOT_TYPED)), None)
        if found:
            return found
    return None


def _texts(raw: Raw) -> list[str]:
    try:
        content = decode(_CONTENT, raw)
    except BadRow:
        return []
    parts = content if isinstance(content, list) else [content]
    texts = (part.get("text") if isinstance(part, dict) else part for part in parts)
    return [words for words in texts if isinstance(words, str)]
