"""Is this row of a Codex rollout a response, and what did it use? Pure: from (state, row) to (state, verdict).

A response is a `token_usage_record` of the thread itself, or a `token_count` for which no record stands. What is not
counted is dropped by a rule that has a name:

`unchanged`        running totals did not move: the row was sent again, for instance with new rate limits
`twin`             a `token_count` and a record are about the same response
`replay`           one of the leading rows of a fork that are its parent's, matched with them in order
`replay_inferred`  the same where the parent's rows are not to be had: written in one burst with the fork's start
`other_thread`     a record that names another thread is a copy
`estimate`         only `total_tokens`: an estimate of the context, nothing was used
"""

from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from engine.contract.usage import Basis, Confidence
from engine.telemetry.codex_replay import Parent, Replay, parent_totals, replayed
from engine.telemetry.codex_rows import Counter, Tokens

Rule = Literal["unchanged", "twin", "replay", "replay_inferred", "other_thread", "estimate"]

# Records whose `token_count` has not come yet. One is usual; more only when rows were lost.
_AWAITED = 8


class Record(NamedTuple):
    """A `token_usage_record` with its usage."""

    usage: Tokens
    totals: Tokens | None
    response_id: str | None
    own: bool
    """It names no other thread."""


class Awaited(Struct, frozen=True):
    """A record whose `token_count` has not come yet."""

    usage: Tokens
    totals: Tokens | None


class Counting(Struct, frozen=True, omit_defaults=True):
    """What must be remembered between two rows. Part of the parser's carry."""

    totals: Tokens | None = None
    """Running totals of the last `token_count`."""
    base: Tokens | None = None
    """Running totals as far as anything is accounted for: what a difference starts from."""
    counted: bool = False
    """The last `token_count` was counted, as no record stood for it."""
    awaited: tuple[Awaited, ...] = ()
    last_record: str | None = None
    replay: Replay | None = None
    """A fork whose rows so far may all be its parent's; `None` for other threads, and from its first own row on."""


class Verdict(NamedTuple):
    """What became of a row."""

    used: Tokens | None = None
    """What the response used; `None` when the row is dropped."""
    dropped: Rule | None = None
    basis: Basis = "per_run"
    confidence: Confidence = "final"


def take_record(state: Counting, record: Record) -> tuple[Counting, Verdict]:
    """Judge a `token_usage_record`."""
    if state.counted and record.totals is not None and record.totals == state.totals:
        return replace(state, replay=None if record.own else state.replay), Verdict(dropped="twin")
    awaited = state.awaited
    if record.response_id is None or record.response_id != state.last_record:
        awaited = (*awaited, Awaited(record.usage, record.totals))[-_AWAITED:]
    state = replace(state, awaited=awaited, last_record=record.response_id)
    if not record.own:
        return state, Verdict(dropped="other_thread")  # its token_count, if copied too, is its twin
    state = replace(state, replay=None, base=record.totals or state.base)
    return state, _verdict(record.usage)


def take_counter(state: Counting, row: Counter, parent: Parent | None) -> tuple[Counting, Verdict]:
    """Judge a `token_count` with info. `parent`: the rows of the thread that a fork began as a copy of, if any are
    to be had; asked for only while `state.replay` is there."""
    if row.total is not None and row.total == state.totals:
        return state, Verdict(dropped="unchanged")
    before = state.base
    twin = _twin(state.awaited, row, before)
    # Older records that were awaited before its own are given up.
    awaited = state.awaited if twin is None else state.awaited[twin + 1 :]
    after = Counting(
        row.total or state.totals, _base_after(row, before), False, awaited, state.last_record, state.replay
    )
    if twin is not None:
        return after, Verdict(dropped="twin")
    guessed = False
    if after.replay is not None:
        again, rule = replayed(after.replay, row, parent)
        after = replace(after, replay=again)
        if again is not None:
            return after, Verdict(dropped=rule)
        if row.last is None and before is None:
            return _first_totals(after, row, parent)
        guessed = parent is None
    verdict = _spent(before, row, "inferred" if guessed else "final")
    return (after if verdict.used is None else replace(after, counted=True)), verdict


def _base_after(row: Counter, before: Tokens | None) -> Tokens | None:
    if row.total is not None or row.last is None:
        return row.total or before
    return before.plus(row.last) if before is not None else row.last


def _spent(before: Tokens | None, row: Counter, confidence: Confidence) -> Verdict:
    if row.last is not None and (row.total is None or row.total != before):
        return _verdict(row.last, "per_run", confidence)
    if row.total is None or row.total == before:
        return Verdict(dropped="unchanged")
    if before is None:
        return _verdict(row.total, "session_delta", confidence)
    if row.total.fell_from(before):
        return _verdict(row.total, "session_delta", "inferred")  # a new start
    return _verdict(row.total.since(before), "session_delta", confidence)


def _first_totals(state: Counting, row: Counter, parent: Parent | None) -> tuple[Counting, Verdict]:
    """A fork that replays nothing and tells only totals: they hold its parent's, unless they began anew."""
    if parent is None or row.total is None:
        return state, Verdict(dropped="replay_inferred")
    inherited = parent_totals(parent, row.at_ms)
    used = row.total if inherited is None or row.total.fell_from(inherited) else row.total.since(inherited)
    verdict = _verdict(used, "session_delta", "inferred")
    return replace(state, counted=verdict.used is not None), verdict


def _twin(awaited: tuple[Awaited, ...], row: Counter, before: Tokens | None) -> int | None:
    """Which of the records is about the same response."""
    if not awaited:
        return None
    used = row.last
    if used is None and row.total is not None and before is not None and not row.total.fell_from(before):
        used = row.total.since(before)
    for index, record in enumerate(awaited):
        if record.usage == used or (row.total is not None and record.totals == row.total):
            return index
    return None


def _verdict(used: Tokens, basis: Basis = "per_run", confidence: Confidence = "final") -> Verdict:
    if used.is_request():
        return Verdict(used, None, basis, confidence)
    return Verdict(dropped="estimate" if used.total else "unchanged")
