"""What is a token of ours in tokens of the provider? A line through what was counted and what was reported.

    reported = overhead + factor * counted

The factor is a matter of the model's tokenizer and holds for all that is sent to it. The overhead is a matter of what a
kind of run sends beside our prompt, so only requests of one kind (agent and task type) are compared for the factor: a
client with long prompts and one with many tools would else pass for a tokenizer.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from statistics import median

from msgspec import Struct

from state.history import FirstRequest

ENOUGH_POINTS = 5
FACTOR_MIN, FACTOR_MAX = 0.5, 3.0
"""Tokenizers differ by less. What lies beyond is no tokenizer: files that a client adds for each of ours, say."""
SPREAD_MIN = 0.2
"""Of the longest prompt: by how much the prompts of a kind must differ to tell the factor from the overhead."""
DISTINCT_MIN = 3
"""How many lengths of prompt it takes for the same."""


class Calibration(Struct, frozen=True):
    """How a model counts."""

    overhead_tokens: int
    """What is sent beside our prompt, in tokens of the provider; the median over all kinds of run."""
    factor: float
    """Tokens of the provider for each of ours; 1 while it is not measured."""
    points: int
    """Requests that this rests on."""
    measured: bool = True
    """False: the prompts were too much alike to tell the factor, and all of the difference passes for overhead."""


def fit(points: Sequence[FirstRequest]) -> Calibration | None:
    """The line through these requests; None with fewer than five.

    Theil-Sen: the factor is the median of the slopes over all pairs of one kind, the overhead the median of what is
    left, so that a quarter of the points may be anything. A request that reports less than the least factor allows did
    not hold our prompt (some clients first ask for a title) and is left out.
    """
    usable = [
        one for one in points if one.counted_tokens > 0 and one.reported_tokens >= FACTOR_MIN * one.counted_tokens
    ]
    if len(usable) < ENOUGH_POINTS:
        return None
    slopes = [slope for kind in _kinds(usable) if _varies(kind) for slope in _slopes(kind)]
    factor = min(FACTOR_MAX, max(FACTOR_MIN, median(slopes))) if slopes else 1.0
    left = median(one.reported_tokens - factor * one.counted_tokens for one in usable)
    return Calibration(max(0, round(left)), factor, len(usable), measured=bool(slopes))


def _kinds(points: Sequence[FirstRequest]) -> list[list[FirstRequest]]:
    kinds: dict[tuple[str, str], list[FirstRequest]] = {}
    for one in points:
        kinds.setdefault((one.agent, one.task_type), []).append(one)
    return list(kinds.values())


def _varies(kind: Sequence[FirstRequest]) -> bool:
    lengths = {one.counted_tokens for one in kind}
    return len(lengths) >= DISTINCT_MIN and max(lengths) - min(lengths) >= SPREAD_MIN * max(lengths)


def _slopes(kind: Sequence[FirstRequest]) -> Iterator[float]:
    for one, other in combinations(kind, 2):
        if one.counted_tokens != other.counted_tokens:
            yield (one.reported_tokens - other.reported_tokens) / (one.counted_tokens - other.counted_tokens)
