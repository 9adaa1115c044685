"""How is a usage read that somebody else reports, so that it stands as reported beside what we make of it?"""

from typing import Annotated, Any, TypeVar

from msgspec import Meta, Raw

from engine.adapters.runner.frames import decoded

Count = Annotated[int, Meta(ge=0, le=10**9)] | None
"""Tokens. None: not told."""
MOST_BYTES = 4096
"""Of a usage as it is kept: a larger one is not."""
T = TypeVar("T")


def usage_in(raw: Raw, kind: type[T]) -> T | None:
    """A usage that may be left out, or null. Raises Malformed."""
    text = bytes(raw)
    return decoded(text, kind) if text and text != b"null" else None


def as_reported(raw: Raw) -> dict[str, Any]:
    """The same with everything that it has."""
    text = bytes(raw)
    return decoded(text, dict[str, Any]) if text and text != b"null" and len(text) <= MOST_BYTES else {}


def apart(whole: int | None, part: int | None) -> int | None:
    """The whole without a part that is told by itself."""
    return None if whole is None else max(0, whole - (part or 0))
