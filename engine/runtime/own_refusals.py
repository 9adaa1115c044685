"""How often was a run refused what it ordered, and when is that enough? A run that orders in a loop fills no books."""

from collections import deque

import msgspec
from msgspec import Struct

from engine.contract.clock import Clock
from engine.contract.verdict import WaitsFor
from state import events, runs, spool
from state.database import Database
from state.errors import Refused

MOST = 20
"""Refused orders of one run. Whatever it orders after them is refused unseen, and recorded nowhere."""
_ANSWERS_KEPT = 20
"""Of those that are refused unseen: long enough for who asked to read the answer."""


class _Judged(Struct, frozen=True):
    """What of an answer to the order `run` says whether that was refused."""

    class Verdict(Struct, frozen=True):
        ok: bool

    verdict: Verdict
    waits_for: WaitsFor | None = None


class OwnRefusals:
    """A count for each live run, from when this engine began."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._counts: dict[int, int] = {}
        self._unseen: dict[int, deque[str]] = {}

    def check(self, asker: runs.Run) -> None:
        """Raises Refused for a run that has had its refusals."""
        if self._counts.get(asker.id, 0) >= MOST:
            raise Refused(f"{MOST} orders of run {asker.id} were refused, and it may order nothing more", "end it")

    def note(self, asker: runs.Run, order: spool.Order) -> None:
        """Count this order, which has been carried out, where it was refused."""
        answer = spool.answer_of(self._database.connection, order.id)
        if answer is None or not _is_refusal(answer):
            return
        count = self._counts.get(asker.id, 0)
        if count >= MOST:
            self._forget_older(asker.id, order.id)
            return
        self._counts[asker.id] = count + 1
        if count + 1 == MOST:
            text = f"{MOST} orders of run {asker.id} were refused: from now on all are, and nothing is recorded of them"
            with self._database.transaction() as tx:
                events.add(tx, self._clock.now_ms(), "refused", text, run_id=asker.id)

    def drop(self, run_id: int) -> None:
        """It has ended."""
        self._counts.pop(run_id, None)
        self._unseen.pop(run_id, None)

    def _forget_older(self, run_id: int, order_id: str) -> None:
        kept = self._unseen.setdefault(run_id, deque())
        kept.append(order_id)
        if len(kept) > _ANSWERS_KEPT:
            with self._database.transaction() as tx:
                spool.forget(tx, kept.popleft())


def _is_refusal(answer: spool.Answer) -> bool:
    """A run that waits is none."""
    if not answer.ok or answer.kind != "run":
        return not answer.ok
    judged = msgspec.json.decode(answer.answer, type=_Judged)
    return not judged.verdict.ok and judged.waits_for is None
