"""What of a text must never reach the database or a screen? The values that runs were handed, and what is like a key.

Values are known to the engine that handed them out, for as long as it lives. Of a run that another engine adopts, only
what has the shape of a key is hidden."""

import heapq
import re
import threading
from collections.abc import Iterable, Iterator

import msgspec

from engine.contract.launch import AdapterResult
from engine.contract.outcome import EndRecord

HIDDEN = "[secret]"
SHORTEST = 6
"""Characters: a shorter value is no secret, and would stand in many a word."""
MOST = 1024
"""Values known at once: a command may give another one to each run."""
_HEAD = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")
_FOOT = re.compile(r"-----END [A-Z0-9 ]*PRIVATE KEY-----")
_SHAPES = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"sk-ant-[A-Za-z0-9_-]{8,}"
    r"|sk-[A-Za-z0-9_-]{20,}"
    r"|(?:gh[opsur]_|github_pat_)[A-Za-z0-9_]{20,}"
    r"|xox[a-z]-[A-Za-z0-9-]{10,}"
    r"|AKIA[A-Z0-9]{16}"
    r"|AIza[A-Za-z0-9_-]{30,}"
    r")"
)
_STARTS = ("-----BEGIN ", "sk-", "gho_", "ghp_", "ghs_", "ghu_", "ghr_", "github_pat_", "xox", "AKIA", "AIza")
"""With one of these begins whatever has the shape of a key. They are found in no time; trying the shapes at each place
of a long text would keep every thread from going on meanwhile."""

_known: dict[str, None] = {}
_ordered: tuple[str, ...] = ()
_knowing = threading.Lock()


def remember(values: Iterable[str]) -> None:
    """What a run is handed, and the lines of it: from now on they are hidden in every text."""
    global _ordered
    parts = {part.strip() for value in values for part in (value, *value.splitlines())}
    with _knowing:
        for part in sorted(part for part in parts if len(part) >= SHORTEST):
            _known.pop(part, None)
            _known[part] = None
        for oldest in list(_known)[:-MOST]:
            del _known[oldest]
        _ordered = tuple(sorted(_known, key=len, reverse=True))  # the longest first: none is hidden only in part


def redacted(text: str) -> str:
    """Without what any run was handed, and what looks like a key."""
    for value in _ordered:
        text = text.replace(value, HIDDEN)
    pieces, done = [], 0
    for begin in heapq.merge(*(_places(text, start) for start in _STARTS)):
        end = _end(text, begin) if begin >= done else None
        if end is not None:
            pieces += [text[done:begin], HIDDEN]
            done = end
    return "".join([*pieces, text[done:]])


def _places(text: str, word: str, begin: int = 0) -> Iterator[int]:
    """Where it stands in the text, from this place on."""
    place = text.find(word, begin)
    while place >= 0:
        yield place
        place = text.find(word, place + 1)


def _end(text: str, begin: int) -> int | None:
    """Of the key that begins here; None: there is none. One whose end is missing takes all that follows."""
    head = _HEAD.match(text, begin)
    if head is None:
        found = _SHAPES.match(text, begin)
        return found.end() if found else None
    feet = (_FOOT.match(text, place) for place in _places(text, "-----END ", head.end()))
    return next((foot.end() for foot in feet if foot), len(text))


def redacted_result(result: AdapterResult) -> AdapterResult:
    """What a run answered and why it failed, fit to be kept."""
    raw = None if result.raw_usage is None else redacted(result.raw_usage)
    return msgspec.structs.replace(result, text=redacted(result.text), why=redacted(result.why), raw_usage=raw)


def redacted_end(end: EndRecord) -> EndRecord:
    """How a run ended, fit to be kept: why it could not start may name what was asked for."""
    return msgspec.structs.replace(end, why=redacted(end.why))
