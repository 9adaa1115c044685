"""What is due now, and what if we were away? Every due time becomes exactly one slot, and starts at most one run."""

from msgspec import Struct

from engine.schedule.calendar import Trigger, next_due_ms

ON_TIME_MS = 60_000
"""A slot found up to this late still counts as on time."""
CATCH_UP_WINDOW_MS = 24 * 3_600_000
"""How far back the newest missed slot may lie and still be run."""
WALK_CAP = 1000
"""Due times looked at in one go; an absence with more of them is noted as one gap."""


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


def due_slots(due: Trigger, *, anchor_ms: int, last_ms: int | None, now_ms: int, enabled: bool, running: bool) -> Plan:
    """Decide on every due time after `last_ms` (else the anchor) up to now.

    After downtime the newest one is started if it is recent enough, the others are noted as missed; a new or edited job
    never looks back past its anchor; a job that still runs is not started twice.
    """
    at, found = max(anchor_ms, last_ms if last_ms is not None else anchor_ms), []
    # Only the newest due times matter for what is started: skip ahead when there are too many to note one by one.
    while (at := next_due_ms(due, anchor_ms, at)) <= now_ms:
        found.append(at)
        if len(found) > 2 * WALK_CAP:
            del found[:WALK_CAP]
    slots: list[DueSlot] = []
    for number, due_ms in enumerate(found):
        newest = number == len(found) - 1
        if not enabled:
            slots.append(DueSlot(due_ms, "paused", "the job is paused"))
        elif not newest or now_ms - due_ms > CATCH_UP_WINDOW_MS:
            slots.append(DueSlot(due_ms, "missed", "no engine ran at that time"))
        elif running:
            slots.append(DueSlot(due_ms, "overlap", "the run before it was still going"))
        else:
            slots.append(DueSlot(due_ms, "start", "" if now_ms - due_ms <= ON_TIME_MS else "caught up"))
    return Plan(slots=tuple(slots), next_ms=at)
