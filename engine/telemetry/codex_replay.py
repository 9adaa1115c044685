"""Which leading rows of a forked Codex thread are its parent's? Pure; `codex_parents` finds the parent's rows.

A fork or subagent may begin with its parent's rows, stamped anew. They are told by the parent's own file, and by the
moment of writing only where that file is not to be had.
"""

from typing import Literal

from msgspec import Struct

from engine.telemetry.codex_rows import Counter, Tokens

# A copy is written at once, so a longer silence ends it, unless the copy kept its parent's stamps.
LONGEST_PAUSE_MS = 5_000
# Without the parent: rows within this time of the fork's start, and those that follow on their heels.
BURST_MS = 1_000
BURST_STEP_MS = 100

ReplayRule = Literal["replay", "replay_inferred"]
Parent = list[Counter]
"""The `token_count` rows of a thread, in order, without those that only repeat the one before."""


class Replay(Struct, frozen=True, omit_defaults=True):
    """How far the leading rows of a fork are matched."""

    matched: int = 0
    """The parent's rows up to the last one matched."""
    start_ms: int | None = None
    """When the fork was made."""
    last_ms: int | None = None
    """The time of the last replayed row."""


def replayed(replay: Replay, row: Counter, parent: Parent | None) -> tuple[Replay | None, ReplayRule]:
    """The state behind a replayed row and the rule that says so; `None` for the fork's first own row.

    In order, but not without gaps: forks of the last turns only and migrated files have lost rows.
    """
    at_ms = replay.last_ms if row.at_ms is None else row.at_ms
    if parent is None:
        return Replay(0, replay.start_ms, at_ms) if _in_burst(replay, row.at_ms) else None, "replay_inferred"
    for index in range(replay.matched, len(parent)):
        if row.same_usage(parent[index]) and _may_copy(replay, row.at_ms, parent[index].at_ms):
            return Replay(index + 1, replay.start_ms, at_ms), "replay"
    return None, "replay"


def _may_copy(replay: Replay, at_ms: int | None, original_ms: int | None) -> bool:
    """What the parent did after the fork is no original, however much alike."""
    if at_ms is None or original_ms is None or at_ms == original_ms:
        return True
    return original_ms < at_ms and (replay.last_ms is None or at_ms - replay.last_ms <= LONGEST_PAUSE_MS)


def _in_burst(replay: Replay, at_ms: int | None) -> bool:
    if at_ms is None or replay.start_ms is None:
        return False
    on_heels = replay.last_ms is not None and at_ms - replay.last_ms <= BURST_STEP_MS
    return on_heels or at_ms - replay.start_ms <= BURST_MS


def parent_totals(parent: Parent, at_ms: int | None) -> Tokens | None:
    """The parent's running totals at a time."""
    earlier = (row.total for row in reversed(parent) if at_ms is None or row.at_ms is None or row.at_ms <= at_ms)
    return next((total for total in earlier if total is not None), None)
