"""`qd run list`: which runs were there, what did they cost, and which of them went too far?"""

import argparse
from typing import get_args

import msgspec
from msgspec import Struct

from engine.contract.outcome import Outcome
from engine.runtime.caps import caps_of, reached
from engine.scopes.violations import Changes
from engine.scopes.violations import words as changes_words
from state import runs
from state.database import Connection
from tui.cli.amounts import how_many
from tui.cli.verb import Context, Output, Verb, fitted, following, listed, local, noted, page, table
from tui.text import age, cost

_SAID_CHARS = (200, 60, 40, 20, 8)
"""Of what a run said, as many as fit."""
_WIDE_CHARS = 20
"""Where less of it would be left, cost and age give way."""
_STATES = ("waiting", "reserved", "starting", "running", "ending")
_LOOKED_AT = 100_000
"""Runs among which those of an agent, or with an outcome, are looked for."""
VIOLATION, CAP = "!", "^"
_LEGEND = {
    VIOLATION: f"{VIOLATION} did what its scope does not let it",
    CAP: f"{CAP} used more than its own limit",
}


class Row(Struct, frozen=True):
    """What is told of one run."""

    run: runs.Run
    marks: str
    why: str
    """Why it did not end well, and what it did beyond what it may; empty where there is nothing."""


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=how_many, default=30, help="how many at most (30)")
    known = f"{', '.join(get_args(Outcome))}, refused; of those that go on: {', '.join(_STATES)}; violation"
    parser.add_argument("--outcome", action="append", type=outcome, metavar="OUTCOMES", help=f"only these: {known}")
    parser.add_argument("--agent", action="append", metavar="AGENTS", help="only of these agents")


def outcome(text: str) -> str:
    """Outcomes and states, by commas."""
    known = (*get_args(Outcome), "refused", *_STATES, "violation")
    for name in listed([text]):
        if name not in known:
            raise argparse.ArgumentTypeError(f"{name[:30]!a} is no outcome; known: {', '.join(dict.fromkeys(known))}")
    return text


def _list(context: Context) -> Output:
    from tui.cli.run_view import run_view

    connection, options = context.reader(), context.options
    found = _found(connection, options) if connection else []
    seen = following(context.home)
    asked = bool(options.outcome or options.agent)
    text = _text(found, context.now_ms) if found else "No such runs." if asked else "No runs yet."
    views = [run_view(connection, row.run) for row in found] if connection else []
    return Output({"runs": views} | seen.view, noted(text, seen.note(context.now_ms)))


def _found(connection: Connection, options: argparse.Namespace) -> list[Row]:
    """The newest that are asked for."""
    wanted, agents = set(listed(options.outcome)), set(listed(options.agent))
    some = runs.latest(connection, _LOOKED_AT if wanted or agents else options.limit)
    rows = (row_of(run) for run in some if not agents or run.agent in agents)
    kept = (row for row in rows if not wanted or wanted & _named(row))
    return [row for row, _ in zip(kept, range(options.limit), strict=False)]


def _named(row: Row) -> set[str]:
    """The words by which it is asked for."""
    return {row.run.outcome or row.run.state, *(("violation",) if VIOLATION in row.marks else ())}


def row_of(run: runs.Run) -> Row:
    """What it did beyond what it may is told whatever it said, and whatever its outcome is."""
    changes = None if run.changes is None else msgspec.json.decode(run.changes, type=Changes)
    why, told = run.why or "", []
    is_violation = why.startswith("violation: ")
    if changes is not None and changes.violations_total and not is_violation:
        told.append(f"violation: {changes_words(changes)}")
    over = reached(caps_of(run), run.turns or 0, {"tokens": run.used_tokens, "microusd": run.used_microusd})
    if over and over not in why:
        told.append(over)
    if why and (run.outcome != "succeeded" or is_violation):
        told.insert(0, why)
    marks = (VIOLATION if is_violation or (changes and changes.violations_total) else "") + (CAP if over else "")
    return Row(run, marks, "; ".join(told))


def _text(rows: list[Row], now_ms: int) -> str:
    ways = [(most, True) for most in _SAID_CHARS if most >= _WIDE_CHARS] + [(most, False) for most in _SAID_CHARS]
    made = fitted((_table(rows, most, now_ms if wide else None) for most, wide in ways), page().width)
    marks = [said for mark, said in _LEGEND.items() if any(mark in row.marks for row in rows)]
    return noted(made, f"{'; '.join(marks)}: qd run show tells" if marks else "")


def _table(rows: list[Row], most: int, now_ms: int | None) -> str:
    """With what each cost, and how old it is, where the time is told."""
    from tui.clean import clean

    cells = [
        (
            row.run.id,
            f"{_state(row.run)} {row.marks}".rstrip(),
            row.run.agent,
            row.run.trigger,
            local(row.run.requested_ms),
            *((age(row.run.requested_ms, now_ms), _cost(row.run)) if now_ms is not None else ()),
            clean("; ".join(filter(None, (row.why, row.run.summary))), most),
        )
        for row in rows
    ]
    wide = ("age", "cost") if now_ms is not None else ()
    header = ("run", "outcome", "agent", "trigger", "asked for", *wide, "said")
    return table(header, cells, right=(0, 5, 6) if wide else (0,))


def _state(run: runs.Run) -> str:
    return f"waits: {run.waits_for}" if run.state == "waiting" else run.outcome or run.state


def _cost(run: runs.Run) -> str:
    """Unknown where nothing is booked, or nothing of it has a price."""
    if not run.used_tokens or (run.unpriced and not run.used_microusd):
        return "-"
    return cost(run.used_microusd, run.unpriced, run.unpriced + 1, short=False)


LIST = Verb(_arguments, _list)
