"""Which lines of a block can hold a response or the client's totals? Without looking into what cannot.

Four fifths of a log are prompts, tool results and snapshots. Where a row's own `type` stands before anything nested and
is not one that we want, the rest of the line is not looked at: finding its end is ten times faster than searching it.
"""

from typing import NamedTuple

from engine.telemetry.rows import rows_with

RESPONSE = b'"usage"'
TOTALS = b'"cacheCreationInputTokens"'
"""Every model's entry of a `cost-state` has this key, and no other row does."""

_TYPE = b'"type":"'
_TYPED = len(_TYPE)
_HEAD_BYTES = 320
"""How far into a line its type is looked for: behind two ids and a flag at most."""
_SAMPLE_BYTES = 16 * 1024
_SHORT_BYTES = 400
"""Lines shorter than this on average are faster searched as one text."""


class Candidates(NamedTuple):
    """Lines, each with its offset in the block."""

    lines: int
    """How many lines the block has."""
    responses: list[tuple[int, bytes]]
    totals: list[tuple[int, bytes]]


def candidates(block: bytes) -> Candidates:
    """Of a block of whole lines those that need decoding. Whatever cannot be told is searched."""
    if block.count(b"\n", 0, _SAMPLE_BYTES) > min(len(block), _SAMPLE_BYTES) // _SHORT_BYTES:
        return Candidates(block.count(b"\n"), list(rows_with(block, RESPONSE)), list(rows_with(block, TOTALS)))
    responses: list[tuple[int, bytes]] = []
    totals: list[tuple[int, bytes]] = []
    find, starts = block.find, block.startswith
    lines = begin = 0
    while (end := find(b"\n", begin)) >= 0:
        lines += 1
        at = find(_TYPE, begin, begin + _HEAD_BYTES)
        if not 0 <= at < end or find(b"{", begin + 1, at) >= 0:  # it cannot be told
            if find(RESPONSE, begin, end) >= 0:
                responses.append((begin, block[begin:end]))
            if find(TOTALS, begin, end) >= 0:
                totals.append((begin, block[begin:end]))
        elif starts(b"assistant", at + _TYPED):
            if find(RESPONSE, begin, end) >= 0:
                responses.append((begin, block[begin:end]))
        elif starts(b"cost-state", at + _TYPED):
            totals.append((begin, block[begin:end]))
        begin = end + 1
    return Candidates(lines, responses, totals)
