"""Is a run to be done again with another model? Only with the next one that was declared for it, and only when its own
could not be reached.

That it is, is written in the transaction in which it ends; `fallback` does it then.
"""

import msgspec

from engine.contract.launch import AdapterResult
from engine.contract.orders import RunRequest
from engine.contract.route import Route
from engine.contract.verdict import Verdict
from engine.scopes.violations import Changes
from state import events, fallbacks, runs
from state.database import Connection

_UNAVAILABLE = ("failed", "crashed", "timed_out", "silent")


def goes_elsewhere(run: runs.Run, outcome: str, result: AdapterResult | None, changes: Changes | None) -> bool:
    """Whether a run that ended is to be done again with the next model: never when it has begun to change anything,
    and never when we ended it."""
    if result is None or not result.unavailable or outcome not in _UNAVAILABLE or run.stop_reason is not None:
        return False
    return bool(chain_of(run.route)) and not _changed(run, changes)


def refused_elsewhere(route: Route, verdict: Verdict) -> bool:
    """The same for one that was refused: only because its agent cannot be started."""
    return bool(route.fallback) and {check.name for check in verdict.failed} == {"agent"}


def chain_of(route: str | None) -> tuple[str, ...]:
    """The models that are left to go to."""
    return msgspec.json.decode(route, type=Route).fallback if route is not None else ()


def mark(tx: Connection, run_id: int, agent: str, model: str, why: str, job: str | None, now_ms: int) -> None:
    """That it is to be done again."""
    events.add(tx, now_ms, fallbacks.KIND, f"{agent} cannot have {model}: {why}", run_id=run_id, job=job)


def request_elsewhere(run: runs.Run) -> RunRequest:
    """The same once more, with the next model; each time one fewer is left."""
    chain = chain_of(run.route)
    request = msgspec.json.decode(run.request or "", type=RunRequest)
    return msgspec.structs.replace(request, model=chain[0], fallback=chain[1:], falls_back_from=run.id)


def _changed(run: runs.Run, changes: Changes | None) -> bool:
    """Where that is not known, a run that may write has."""
    if changes is None or not changes.checked:
        return changes is not None and bool(msgspec.json.decode(run.can_write))
    return changes.changed > changes.unattributed_total
