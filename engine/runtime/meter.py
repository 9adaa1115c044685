"""Does a live run still fit what is reserved for it? What it has used so far is compared; over it, it asks for more."""

import msgspec

from engine.admission.words import amount
from engine.config.model import Config
from engine.contract.adapter import Reader
from engine.contract.launch import RunUsage
from engine.contract.outcome import Stop, StoppedAt
from engine.runtime.budget_lines import lines_of_run
from state import events, ledger, runs
from state.database import Connection, Database

SHARE_MORE = 0.5
"""A run that needs more first asks for this share of what it has used beside, then only for what it has used."""


def used_so_far(reader: Reader, run: runs.Run) -> dict[ledger.Unit, int]:
    """The larger of what it tells and what its client's log has told."""
    told = reader.usage or RunUsage(0, 0)
    tokens = told.input_tokens + told.output_tokens + told.cache_read_tokens + told.cache_write_tokens
    return {
        "tokens": max(tokens, run.used_tokens),
        "microusd": max(told.cost_microusd or 0, run.used_microusd),
    }


def keep_within(database: Database, run: runs.Run, used: dict[ledger.Unit, int], config: Config, now_ms: int) -> bool:
    """Hold more where it has used more than is held. False: there is no room for that, and it has to stop; what was
    said once stays said, whoever asks again."""
    if run.stop_reason is not None:
        return False
    lacks = _lacks(database.connection, run, used)
    lines = lines_of_run(database.connection, run, config) if lacks else []
    if not lines:
        return True
    with database.transaction() as tx:
        runs.update(tx, run.id, {f"told_{unit}": amount for unit, amount in used.items()})
        for extra in ({unit: lack + round(SHARE_MORE * used[unit]) for unit, lack in lacks.items()}, lacks):
            short = ledger.extend(tx, run.id, lines, extra, now_ms)
            if not short:
                said = " and ".join(f"{amount(unit, more)} {_UNITS[unit]}".rstrip() for unit, more in extra.items())
                text = f"{run.agent} needs more than was reserved, and gets {said} more"
                events.add(tx, now_ms, "extended", text, run_id=run.id)
                return True
        stop = Stop("budget_reached", tuple(_stopped(tx, line, run.id) for line in short))
        runs.update(tx, run.id, {"stop_reason": msgspec.json.encode(stop).decode(), "state": "ending"})
        where = ", ".join(dict.fromkeys(line.budget for line in short))
        text = f"{run.agent} has used all that budget {where} has room for: it is ended, and can go on"
        events.add(tx, now_ms, "over_budget", text, run_id=run.id, session_id=run.session_id, job=run.job)
    return False


_UNITS = {"tokens": "tokens", "microusd": ""}


def _lacks(connection: Connection, run: runs.Run, used: dict[ledger.Unit, int]) -> dict[ledger.Unit, int]:
    """How much it has used beyond what is held, in each unit in which a budget holds anything."""
    held = {unit: ledger.held_by(connection, run.id, unit) for unit in used}
    return {unit: used[unit] - have for unit, have in held.items() if have is not None and used[unit] > have}


def _stopped(connection: Connection, line: ledger.Line, run_id: int) -> StoppedAt:
    limit = line.limit + ledger.book(connection, line, run_id).granted
    return StoppedAt(line.budget, line.unit, limit, line.window_start_ms)
