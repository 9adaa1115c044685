"""What is due now, and what if we were away? Every due time becomes exactly one slot, and starts at most one run."""

from msgspec import Struct

from engine.schedule.calendar import Trigger, count_due, next_due_ms

ON_TIME_MS = 60_000
"""A slot found up to this late still counts as on time."""
CATCH_UP_WINDOW_MS = 24 * 3_600_000
"""How far back the newest missed slot may lie and still be run."""
LISTED = 100
"""Due times noted one by one after an absence; the oldest of them says how many came before."""


class DueSlot(Struct, frozen=True):
    """A due time and what is to become of it."""

    due_ms: int
    action: str
    """`start`, `missed`, `paused` or `overlap`."""
    reason: str = ""


class Plan(Struct, frozen=True):
    """Slots to note now, oldest first, and when to look again."""

    slots: tuple[DueSlot, ...]
    next_ms: int


def due_slots(
    due: Trigger, *, anchor_ms: int, last_ms: int | None, now_ms: int, enabled: bool, before: str = ""
) -> Plan:
    """Decide on every due time after `last_ms` (else the anchor) up to now.

    After downtime the newest one is started if it is recent enough, the others are noted as missed; a new or edited job
    never looks back past its anchor; a job of which a run is open is not started again: `before` says what that one is
    doing, and is empty when there is none.
    """
    after_ms = max(anchor_ms, last_ms if last_ms is not None else anchor_ms)
    found, next_ms, unlisted = _newest(due, anchor_ms, after_ms, now_ms)
    slots: list[DueSlot] = []
    for number, due_ms in enumerate(found):
        newest = number == len(found) - 1
        if not enabled:
            slots.append(DueSlot(due_ms, "paused", "the job is paused"))
        elif not newest or now_ms - due_ms > CATCH_UP_WINDOW_MS:
            slots.append(DueSlot(due_ms, "missed", "no engine ran at that time"))
        elif before:
            slots.append(DueSlot(due_ms, "overlap", f"the run before it {before}"))
        else:
            slots.append(DueSlot(due_ms, "start", "" if now_ms - due_ms <= ON_TIME_MS else "caught up"))
    if unlisted:
        oldest = slots[0]
        reason = f"{oldest.reason}; {unlisted:,} due times before it are not listed"
        slots[0] = DueSlot(oldest.due_ms, oldest.action, reason)
    return Plan(slots=tuple(slots), next_ms=next_ms)


def _newest(due: Trigger, anchor_ms: int, after_ms: int, now_ms: int) -> tuple[list[int], int, int]:
    """The newest due times up to now, the next one, and how many older ones are not among them."""
    found, next_ms = _walk(due, anchor_ms, after_ms, now_ms, LISTED + 1)
    if len(found) <= LISTED:
        return found, next_ms, 0
    low, high = after_ms, now_ms
    while high - low > 60_000:
        middle = (low + high) // 2
        low, high = (middle, high) if count_due(due, anchor_ms, middle, now_ms) >= LISTED else (low, middle)
    found, next_ms = _walk(due, anchor_ms, low, now_ms, None)
    found = found[-LISTED:]
    return found, next_ms, max(1, count_due(due, anchor_ms, after_ms, found[0] - 1))


def _walk(due: Trigger, anchor_ms: int, at: int, upto_ms: int, most: int | None) -> tuple[list[int], int]:
    """Due times after `at` up to `upto_ms`, at most so many, and the one after them."""
    found: list[int] = []
    while (at := next_due_ms(due, anchor_ms, at)) <= upto_ms and (most is None or len(found) < most):
        found.append(at)
    return found, at
