"""What has a run of Claude Code used, as far as its output tells? Of each turn the difference, never a total twice.

Measured on 2.1.329: `modelUsage` is a total over the conversation, also over processes and of what it is a copy of;
`model_usage_since_last_result` is the turn alone, subagents and failed responses included. The usage in `assistant`
lines is that of the start of a response: its input is right, its output a placeholder. So until a turn is over, what
its responses have told is a lower bound.
"""

from collections.abc import Iterable
from functools import reduce

from engine.adapters.claude_events import ModelUsage, Result, Usage, read
from engine.contract.launch import RunUsage

NOTHING = RunUsage(0, 0, cost_microusd=0)


class Tally:
    """The usage of one run, or of one turn of a held client."""

    def __init__(self, before: RunUsage | None) -> None:
        """`before`: what the totals already held; None when that is not known."""
        self.turns = 0
        """Responses of models."""
        self.raw: list[str] = []
        """What each turn's end told, as JSON."""
        self._total = before
        self._settled: list[RunUsage | None] = []
        self._pending: dict[str, RunUsage] = {}
        self._is_cut = False
        self._seen: set[str] = set()

    @property
    def usage(self) -> RunUsage | None:
        """Of the turns that are over, and at least that of the one that is not."""
        settled = [one for one in self._settled if one is not None]
        if len(settled) < len(self._settled) or not (settled or self._pending):
            return None
        return _sum([*settled, *self._pending.values()])

    @property
    def streamed(self) -> bool:
        """Whether a part of it is only what responses told while they went."""
        return self._is_cut or bool(self._pending)

    def response(self, name: str | None, told: Usage | None) -> None:
        """A response began or went on. It is told in pieces, each with the whole usage so far."""
        if not name or (name in self._seen and name not in self._pending):
            return
        if name not in self._seen:
            self._seen.add(name)
            self.turns += 1
        self._pending[name] = _larger(self._pending.get(name), told or Usage())

    def over(self, result: Result) -> None:
        """A turn is over, and has told what it used; one that was broken off while its model was asked may not have:
        then what its responses have told stays."""
        pending, self._pending = [*self._pending.values()], {}
        total = usage_of(read(dict[str, ModelUsage], result.modelUsage))
        turn = result.model_usage_since_last_result
        told = read(dict[str, ModelUsage], turn) if bytes(turn) else None
        if was_aborted(result) and told == {}:
            self._is_cut = True
            self._settled += pending
        elif bytes(turn):
            self._settled.append(usage_of(told))
        else:
            self._settled.append(None if total is None or self._total is None else _less(total, self._total))
        self.raw.append(bytes(bytes(turn) or result.modelUsage).decode(errors="replace"))
        self._total = total


def was_aborted(result: Result) -> bool:
    """Whether a turn was interrupted."""
    return result.is_error and (result.terminal_reason or "").startswith("aborted")


def usage_of(models: dict[str, ModelUsage] | None) -> RunUsage | None:
    """All models together; None when it cannot be read."""
    if models is None:
        return None
    return _sum(
        RunUsage(
            input_tokens=one.inputTokens,
            output_tokens=one.outputTokens,
            cache_read_tokens=one.cacheReadInputTokens,
            cache_write_tokens=one.cacheCreationInputTokens,
            cost_microusd=_microusd(one),
        )
        for one in models.values()
    )


def _microusd(one: ModelUsage) -> int | None:
    """None for a model whose price the client does not know, whatever it says then."""
    return None if one.costUSD is None or one.costBasis == "unknown" else round(one.costUSD * 1_000_000)


def _larger(known: RunUsage | None, told: Usage) -> RunUsage:
    """Of each count the larger; what a response costs is not told."""
    known = known or RunUsage(0, 0)
    return RunUsage(
        input_tokens=max(known.input_tokens, told.input_tokens or 0),
        output_tokens=max(known.output_tokens, told.output_tokens or 0),
        cache_read_tokens=max(known.cache_read_tokens, told.cache_read_input_tokens or 0),
        cache_write_tokens=max(known.cache_write_tokens, told.cache_creation_input_tokens or 0),
    )


def _sum(usages: Iterable[RunUsage]) -> RunUsage:
    return reduce(_plus, usages, NOTHING)


def _plus(one: RunUsage, other: RunUsage) -> RunUsage:
    costs = (one.cost_microusd, other.cost_microusd)
    return RunUsage(
        input_tokens=one.input_tokens + other.input_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        cache_read_tokens=one.cache_read_tokens + other.cache_read_tokens,
        cache_write_tokens=one.cache_write_tokens + other.cache_write_tokens,
        cost_microusd=None if None in costs else sum(cost or 0 for cost in costs),
    )


def _less(total: RunUsage, before: RunUsage) -> RunUsage:
    costs = (total.cost_microusd, before.cost_microusd)
    return RunUsage(
        input_tokens=max(0, total.input_tokens - before.input_tokens),
        output_tokens=max(0, total.output_tokens - before.output_tokens),
        cache_read_tokens=max(0, total.cache_read_tokens - before.cache_read_tokens),
        cache_write_tokens=max(0, total.cache_write_tokens - before.cache_write_tokens),
        cost_microusd=None if None in costs else max(0, (costs[0] or 0) - (costs[1] or 0)),
    )
