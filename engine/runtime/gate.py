"""The one gate: every run, whoever asks for it, is composed and admitted here, and nowhere else.

Composing happens in a thread; the verdict, the reservation, the claims and the run itself are one transaction.
"""

import asyncio

from msgspec import Struct

from engine.config.model import Config
from engine.contract.clock import Clock
from engine.contract.orders import RunRequest
from engine.contract.verdict import ReceiptView, Verdict, WaitsFor
from engine.runtime.admitting import Admitted, act
from engine.runtime.composing import Composed, Held, compose_request
from engine.runtime.facts import held_scope
from engine.runtime.judging import judge
from engine.runtime.settings import Settings
from state import claims, runs, skills, spool
from state.database import Database
from state.home import Home


class RunAnswer(Struct, frozen=True):
    """The answer to an order for a run."""

    run: int
    session: int | None
    verdict: Verdict
    waits_for: WaitsFor | None = None


class Gate:
    """compose -> admit; what it lets through is handed to execution."""

    def __init__(self, home: Home, database: Database, settings: Settings, clock: Clock) -> None:
        self._home = home
        self._database = database
        self._settings = settings
        self._clock = clock

    async def preview(self, request: RunRequest) -> tuple[Verdict, ReceiptView]:
        """What the verdict would be now. Nothing is recorded, reserved or claimed."""
        config = self._settings.config
        composed = await self._compose(request, config)
        judged = judge(self._database.connection, composed, config, None, self._clock.now_ms())
        return judged.verdict, judged.receipt

    async def ask(self, request: RunRequest, order: spool.Order | None = None, run_id: int | None = None) -> Admitted:
        """Ask for a run, or again for one that waits. Whatever becomes of it is recorded, and the order answered, in
        one transaction."""
        config = self._settings.config
        composed = await self._compose(request, config)
        with self._database.transaction() as tx:
            judged = judge(tx, composed, config, run_id, self._clock.now_ms())
            if run_id is not None and runs.get(tx, run_id).state != "waiting":
                return Admitted(run_id, judged.standing.session_id, judged.verdict, None)  # somebody was faster
            admitted = act(tx, self._home, composed, judged, config, run_id)
            if order is not None:
                runs.set_order(tx, admitted.run_id, order.id)
                answer = RunAnswer(admitted.run_id, admitted.session_id, judged.verdict, admitted.waits_for)
                spool.store_answer(tx, order, self._clock.now_ms(), True, answer)
        return admitted

    async def _compose(self, request: RunRequest, config: Config) -> Composed:
        connection = self._database.connection
        held = Held(
            newest_token=claims.newest_token(connection),
            scopes=tuple(held_scope(claim) for claim in claims.live(connection)),
            pins=tuple(skills.pins(connection)),
        )
        return await asyncio.to_thread(compose_request, request, config, held, self._clock.now_ms())
