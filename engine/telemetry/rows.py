"""How is one line of a hostile log decoded? Strictly and fast first, then leniently, else refused with a reason."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

# Above this a count is damage, not usage. A thousand million responses of this size still add up inside 64 bits.
LARGEST_COUNT = 2**33


class BadRow(Exception):
    """A line that cannot be used; its only argument is the reason for the tally."""


class _Stamp(msgspec.Struct):
    timestamp: str | None = None


_STAMP = msgspec.json.Decoder(_Stamp)


def decode(decoder: "msgspec.json.Decoder[T]", line: bytes | msgspec.Raw) -> T:
    """One row as the decoder's type. Raises `BadRow`: `bad_json` or, for JSON of another shape, `bad_row`."""
    try:
        return decoder.decode(line)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return _decode_leniently(decoder.type, bytes(line))


def _decode_leniently(wanted: type[T], line: bytes) -> T:
    # A crash can leave runs of NUL bytes; a raw NUL is never part of valid JSON.
    text = line.replace(b"\0", b"").decode("utf-8", "replace").lstrip("\ufeff")
    try:
        value = _without_surrogates(json.loads(text))
    except (ValueError, RecursionError):
        raise BadRow("bad_json") from None
    try:
        # Through the encoder, because it turns NaN into null and only bytes can become a `Raw`.
        return msgspec.json.decode(msgspec.json.encode(value), type=wanted, strict=False)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        raise BadRow("bad_row") from None


def _without_surrogates(value: Any) -> Any:
    """Lone surrogates are legal in JSON escapes, but could not be written to the wire again."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(name): _without_surrogates(item) for name, item in value.items()}
    return value


def count(value: int | None) -> int:
    """A token count; null and absent are zero. Raises `BadRow("bad_count")` where it cannot be true."""
    if value is None:
        return 0
    if not 0 <= value <= LARGEST_COUNT:
        raise BadRow("bad_count")
    return value


def time_ms(stamp: str | None) -> int | None:
    """Milliseconds since the epoch of an ISO 8601 time, any offset; without one it is UTC. `None`: not a time."""
    if not stamp:
        return None
    try:
        moment = datetime.fromisoformat(stamp)
        return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def rows_with(block: bytes, needle: bytes) -> Iterator[tuple[int, bytes]]:
    """Offset in the block and bytes of each line that contains the needle. Other lines cost only the search."""
    at = block.find(needle)
    while at >= 0:
        begin = block.rfind(b"\n", 0, at) + 1
        end = block.find(b"\n", at)
        yield begin, block[begin:end]
        at = block.find(needle, end)


def first_time_ms(block: bytes) -> int | None:
    """The time of the first row that has one at its top level."""
    times = (_line_time_ms(line) for _, line in rows_with(block, b'"timestamp"'))
    return next((time for time in times if time is not None), None)


def last_time_ms(block: bytes) -> int | None:
    """The time of the last row that has one at its top level; looks at a few rows only."""
    stop = len(block)
    for _ in range(4):
        at = block.rfind(b'"timestamp"', 0, stop)
        if at < 0:
            return None
        begin = block.rfind(b"\n", 0, at) + 1
        time = _line_time_ms(block[begin : block.find(b"\n", at)])
        if time is not None:
            return time
        stop = begin
    return None


def _line_time_ms(line: bytes) -> int | None:
    try:
        return time_ms(decode(_STAMP, line).timestamp)
    except BadRow:
        return None
