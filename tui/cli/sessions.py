"""`qd sessions`, `qd session ...`, `qd undo`."""

import argparse
from typing import Any

import msgspec

from engine.contract.orders import Nothing, ResetSession
from engine.runtime.client import Client
from engine.runtime.lease import holder
from engine.sessions.reuse import WORDS
from state import runs, sessions
from state.database import Connection
from state.errors import NotFound
from tui.cli.runs import run_view
from tui.cli.verb import Context, Output, Verb, local, no_arguments, table, times

HOUR_MS = 3_600_000


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=int, default=50, help="how many at most (50)")


def _list(context: Context) -> Output:
    connection = context.reader()
    followed = holder(context.home) is not None
    if connection is None:
        text = "No state yet. Open the console (qd) or run: qd usage"
        return Output({"sessions": [], "total": 0, "live": followed}, text)
    found = sessions.board(connection, context.now_ms - HOUR_MS, context.options.limit)
    total = sessions.count(connection)
    rows = [
        (
            row.id,
            session_state(row),
            row.agent or row.source,
            row.title or row.workspace or "-",
            row.model or "-",
            f"{row.total_tokens:,}",
            row.generation,
            local(row.last_active_ms),
        )
        for row in found
    ]
    text = table(("id", "state", "agent", "session", "model", "tokens", "gen", "last active"), rows, right=(0, 5, 6))
    note = "" if followed else "\n\nNo engine follows: this is what was last seen. qd usage brings it up to date."
    return Output({"sessions": [_row_view(row) for row in found], "total": total, "live": followed}, text + note)


def session_state(row: sessions.BoardRow) -> str:
    """`working`, `idle` or `observed`."""
    if row.live_run_id is not None:
        return "working"
    return "idle" if row.agent else "observed"


def _row_view(row: sessions.BoardRow) -> dict[str, Any]:
    return times(msgspec.structs.asdict(row)) | {"state": session_state(row), "total_tokens": row.total_tokens}


def _id_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session", type=int, help="a session's id, as qd sessions lists it")


def _show(context: Context) -> Output:
    connection = _needed(context)
    session = sessions.get(connection, context.options.session)
    generations = sessions.generations(connection, session.id)
    latest = runs.latest(connection, 50, session.id)
    data = times(msgspec.structs.asdict(session)) | {
        "generations": [times(msgspec.structs.asdict(generation)) for generation in generations],
        "runs": [run_view(connection, run) for run in latest],
    }
    head = f"session {session.id}  {session.agent or session.source}  {session.title or session.workspace or ''}"
    shown = [
        (
            f"{generation.number}{' (undone)' if generation.undone_ms else ''}",
            WORDS.get(generation.reason, generation.reason),
            generation.note or "",
            generation.responses,
            generation.input_tokens + generation.cache_read_tokens + generation.cache_write_tokens,
            generation.output_tokens,
            local(generation.started_ms),
        )
        for generation in generations
    ]
    text = table(("generation", "why", "note", "responses", "input", "output", "since"), shown, right=(3, 4, 5))
    listed = [(run.id, run.trigger, run.outcome or run.state, run.summary or run.why or "") for run in latest]
    return Output(data, f"{head}\n\n{text}\n\n{table(('run', 'trigger', 'outcome', 'said'), listed, right=(0,))}")


def _reset_arguments(parser: argparse.ArgumentParser) -> None:
    _id_argument(parser)
    parser.add_argument("--note", default="", help="why, in your words; kept with the new generation")


def _reset(context: Context) -> Output:
    connection = _needed(context)
    session = sessions.get(connection, context.options.session)
    client = Client(context.home)
    client.ensure()
    order = ResetSession(session.id, session.generation_id, context.options.note)
    answer = msgspec.json.decode(client.order("reset", order))
    text = f"Session {session.id}: generation {answer['generation']} starts at its next run. qd undo takes this back."
    return Output(answer, text)


def _undo(context: Context) -> Output:
    client = Client(context.home)
    client.ensure()
    answer = msgspec.json.decode(client.order("undo", Nothing()))
    return Output(answer, f"Undone: {answer['undone']}.")


def _needed(context: Context) -> Connection:
    connection = context.reader()
    if connection is None:
        raise NotFound("there is no state yet", "open the console (qd) or run: qd usage")
    return connection


LIST = Verb(_list_arguments, _list)
SHOW = Verb(_id_argument, _show)
RESET = Verb(_reset_arguments, _reset)
UNDO = Verb(no_arguments, _undo)
