"""Has a live run used as much as it may? What its route allows it is compared with every look at what it has told."""

import msgspec
from msgspec import Struct

from engine.admission.words import dollars, many
from engine.contract.outcome import Stop
from engine.contract.route import Route
from state import events, ledger, runs
from state.database import Connection

Used = dict[ledger.Unit, int]


class Caps(Struct, frozen=True):
    """Where a run is ended. None: nowhere."""

    turns: int | None = None
    tokens: int | None = None
    microusd: int | None = None


def caps_of(run: runs.Run) -> Caps:
    """As it was routed; a run from before there were caps has none."""
    if run.route is None:
        return Caps()
    route = msgspec.json.decode(run.route, type=Route)
    return Caps(route.stop_turns, route.stop_tokens, route.stop_microusd)


def reached(caps: Caps, turns: int, used: Used) -> str:
    """Which cap it is over, in words; empty when none."""
    if caps.turns is not None and turns > caps.turns:
        return f"it has asked its model {many(turns, 'time')}; it may ask {many(caps.turns, 'time')}"
    if caps.tokens is not None and used["tokens"] > caps.tokens:
        return f"it has used {used['tokens']:,} tokens; it may use {caps.tokens:,}"
    if caps.microusd is not None and used["microusd"] > caps.microusd:
        return f"it has cost {dollars(used['microusd'])}; it may cost {dollars(caps.microusd)}"
    return ""


def note(tx: Connection, run: runs.Run, why: str, now_ms: int) -> None:
    """That it is to end there. No budget is named: it does not go on by itself, since no budget has to be raised."""
    stop = msgspec.json.encode(Stop("budget_reached")).decode()
    runs.update(tx, run.id, {"stop_reason": stop, "state": "ending", "why": why})
    text = f"{run.agent} is ended: {why}"
    events.add(tx, now_ms, "over_cap", text, run_id=run.id, session_id=run.session_id, job=run.job)
