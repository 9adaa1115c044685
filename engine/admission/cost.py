"""What will this run use? Its prompt as counted; the rest as the last runs of its kind had it, else as declared.

A run of k requests sends its prompt, and all that its adapter sends beside it, k times, from a cache or not. How many
requests there will be and what they will read and answer is not known, but what earlier runs did is. So each of them is
taken as the course that this run may take, with the present prompt in place of its own:

    used then + times its prompt was read * (present prompt - its prompt, in tokens of the provider)

Low, likely and high are the 10th, 50th and 90th percentile of these courses. With the same prompt they are those of
what was used, so nothing rests on the number of requests but the difference between the prompts. Overhead, replayed
history and tool results need no figure of their own: what was used then holds them.
"""

from collections.abc import Sequence
from math import ceil, floor
from statistics import median

from msgspec import Struct

from engine.admission.calibration import Calibration
from engine.contract.verdict import Estimate
from state.history import PastRun

ENOUGH_RUNS = 5
"""Before that many, what is declared counts."""
ENOUGH_ERRORS = 3


class Declared(Struct, frozen=True):
    """What is expected of a run while there is no history to go by."""

    overhead_tokens: int
    """What the adapter sends beside our prompt, with each request."""
    output_tokens: int
    """All answers together."""
    turns: int
    """Requests."""


class Rate(Struct, frozen=True):
    """What a model's tokens cost, in micro-dollars per million of them."""

    input_microusd_per_mtok: int
    output_microusd_per_mtok: int
    cache_read_microusd_per_mtok: int
    origin: str
    """Who says so, as `engine.contract.price.Price` has it."""

    def microusd(self, input_tokens: float, output_tokens: float, turns: int, cached: bool) -> float:
        """The cost of so many tokens. `cached`: of the input one request's share is new, the cache has the others."""
        new_tokens = input_tokens / turns if cached else input_tokens
        read_tokens = input_tokens - new_tokens
        return (
            new_tokens * self.input_microusd_per_mtok
            + read_tokens * self.cache_read_microusd_per_mtok
            + output_tokens * self.output_microusd_per_mtok
        ) / 1_000_000


class _Course(Struct, frozen=True):
    """A way in which the run may go."""

    tokens: float
    output_tokens: int
    turns: int
    microusd: float | None
    """By what such a run cost for each token; None when that is not known."""


def estimate(
    prompt_tokens: int,
    past: Sequence[PastRun],
    declared: Declared,
    rate: Rate | None,
    calibration: Calibration | None,
    *,
    asks_model: bool = True,
) -> Estimate:
    """What the run is expected to use, and what that is worth.

    `past`: runs of the same agent, task type and model. With five of them (those whose usage was reported) they decide.
    With fewer, what is declared: low is one request without an answer, likely is all requests and answers, and high is
    likely, since nothing is known of the spread. Nothing is below the prompt as counted.

    Money is what the past runs cost for each of their tokens, where five have a price; else the rate; else unknown.

    `asks_model`: false where neither a model nor a figure is declared. Then nothing is expected, until one of its runs
    has told that it used something.
    """
    taught = [run for run in past if run.basis_real]
    if not asks_model and not taught:
        return Estimate(prompt_tokens, 0, 0, 0, 0, 0, 0, basis="none")
    factor = calibration.factor if calibration is not None else 1.0
    by_history = len(taught) >= ENOUGH_RUNS
    if by_history:
        courses = [_again(run, prompt_tokens, factor) for run in taught]
        overhead_tokens = _overhead(taught, factor, calibration, declared)
        low = _quantile([course.tokens for course in courses], 0.1)
    else:
        courses = [_as_declared(prompt_tokens * factor, declared)]
        overhead_tokens = declared.overhead_tokens
        low = prompt_tokens * factor + overhead_tokens
    tokens = [course.tokens for course in courses]
    likely_microusd, high_microusd = _money(courses, rate)
    error = past_error(taught)
    return Estimate(
        injected_tokens=prompt_tokens,
        overhead_tokens=overhead_tokens,
        low_tokens=max(prompt_tokens, round(low)),
        likely_tokens=max(prompt_tokens, round(_quantile(tokens, 0.5))),
        high_tokens=max(prompt_tokens, round(_quantile(tokens, 0.9))),
        likely_microusd=likely_microusd,
        high_microusd=high_microusd,
        basis="history" if by_history else "declared",
        runs=len(taught),
        calibration=calibration.factor if calibration is not None and calibration.measured else None,
        error_median=error[0] if error else None,
        error_p90=error[1] if error else None,
    )


def past_error(past: Sequence[PastRun]) -> tuple[float, float] | None:
    """Median and 90th percentile of how far estimates were off, as a share of what was used; None with fewer than three
    runs that had an estimate. Below ten the latter is the largest."""
    errors = [
        abs(run.used_tokens - run.likely_tokens) / run.used_tokens
        for run in past
        if run.basis_real and run.likely_tokens is not None and run.used_tokens > 0
    ]
    return (_quantile(errors, 0.5), _quantile(errors, 0.9)) if len(errors) >= ENOUGH_ERRORS else None


def _again(run: PastRun, prompt_tokens: int, factor: float) -> _Course:
    """The past run with this prompt in place of its own."""
    longer = factor * (prompt_tokens - run.prompt_tokens)
    tokens = run.used_tokens + _times_read(run, factor) * longer
    if run.used_microusd is None or run.used_tokens == 0:
        return _Course(tokens, run.output_tokens, run.responses, None)
    return _Course(tokens, run.output_tokens, run.responses, tokens * run.used_microusd / run.used_tokens)


def _times_read(run: PastRun, factor: float) -> float:
    """How often its prompt was read: with each request, but not more often than its input has room for. (Some requests
    of a client do not hold the prompt: titles, helpers, what follows a compaction.)"""
    if run.prompt_tokens == 0:
        return run.responses
    return min(run.responses, (run.used_tokens - run.output_tokens) / (factor * run.prompt_tokens))


def _as_declared(sent_tokens: float, declared: Declared) -> _Course:
    turns = max(1, declared.turns)
    tokens = turns * (sent_tokens + declared.overhead_tokens) + declared.output_tokens
    return _Course(tokens, declared.output_tokens, turns, None)


def _overhead(past: Sequence[PastRun], factor: float, calibration: Calibration | None, declared: Declared) -> int:
    """What the first requests of these runs held beside the prompt; else those of all agents to this model."""
    first = [
        run.first_input_tokens - factor * run.prompt_tokens
        for run in past
        if run.fresh and run.first_input_tokens is not None
    ]
    if first:
        return max(0, round(median(first)))
    return calibration.overhead_tokens if calibration is not None else declared.overhead_tokens


def _money(courses: Sequence[_Course], rate: Rate | None) -> tuple[int | None, int | None]:
    """Likely and high. By rate, the cache serves what is read again in the likely case, and nothing in the high one."""
    priced = [course.microusd for course in courses if course.microusd is not None]
    if len(priced) >= ENOUGH_RUNS:
        return round(_quantile(priced, 0.5)), round(_quantile(priced, 0.9))
    if rate is None:
        return None, None
    likely, high = (
        [rate.microusd(one.tokens - one.output_tokens, one.output_tokens, one.turns, cached) for one in courses]
        for cached in (True, False)
    )
    return round(_quantile(likely, 0.5)), round(_quantile(high, 0.9))


def _quantile(values: Sequence[float], share: float) -> float:
    """The value below which the next one falls with this probability: of n in order, the one at share * (n + 1).

    Between two, in proportion; beyond the ends, the end. So below ten values the 90th percentile is the largest.
    """
    ordered = sorted(values)
    place = min(len(ordered), max(1.0, share * (len(ordered) + 1)))
    below = ordered[floor(place) - 1]
    return below + (place - floor(place)) * (ordered[ceil(place) - 1] - below)
