"""`qd sessions`, `qd session ...`, `qd undo`."""

import argparse
from collections.abc import Callable
from typing import Any

import msgspec

from engine.contract.orders import ResetSession
from engine.runtime.client import Client
from engine.telemetry.metrics import cache_hit_ratio
from state import board, runs, sessions
from state.database import Connection
from state.errors import NotFound
from tui.cli import generations
from tui.cli.amounts import how_many, number
from tui.cli.run_view import run_view
from tui.cli.sums import cost_cell, known_cost
from tui.cli.verb import (
    Context,
    Output,
    Page,
    Verb,
    exact,
    fitted,
    following,
    local,
    noted,
    page,
    table,
    times,
)
from tui.text import tokens

HOUR_MS = 3_600_000
TITLE_CHARS = 40


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=how_many, default=50, help="how many at most (50)")


def _list(context: Context) -> Output:
    connection = context.reader()
    seen = following(context.home)
    if connection is None:
        text = "No state yet. Open the console (qd) or run: qd usage"
        return Output({"sessions": [], "total": 0} | seen.view, text)
    found = board.board(connection, context.now_ms - HOUR_MS, context.options.limit)
    total = sessions.count(connection)
    views = [_row_view(row) for row in found]
    header = ("id", "state", "agent", "session", "model", "tokens", "cost", "context", "gen", "last active")
    text = table(header, [_cells(row, view) for row, view in zip(found, views, strict=True)], right=(0, 5, 6, 7, 8))
    return Output({"sessions": views, "total": total} | seen.view, noted(text, seen.note(context.now_ms)))


def _cells(row: board.BoardRow, view: dict[str, Any]) -> tuple[object, ...]:
    from tui.clean import clean

    return (
        row.id,
        view["state"],
        row.agent or row.source,
        clean(row.title or row.workspace or "-", TITLE_CHARS),
        row.model or "-",
        f"{row.total_tokens:,}" if row.read else "-",
        cost_cell(view),
        tokens(row.context_tokens),
        row.generation,
        local(row.last_active_ms),
    )


def session_state(row: board.BoardRow) -> str:
    """`working`, `idle` or `observed`."""
    if row.live_run_id is not None:
        return "working"
    return "idle" if row.agent else "observed"


def _row_view(row: board.BoardRow) -> dict[str, Any]:
    view = times(msgspec.structs.asdict(row))
    unpriced = view.pop("unpriced")
    hit_ratio = cache_hit_ratio(row.input_tokens, row.cache_read_tokens, row.cache_write_tokens)
    return view | {
        "state": session_state(row),
        "fresh": bool(row.fresh),
        "total_tokens": row.total_tokens,
        "cost_microusd": known_cost(row.cost_microusd, row.responses, unpriced) if row.read and row.responses else None,
        "responses_unpriced": unpriced,
        "cache_hit_ratio": None if hit_ratio is None else round(hit_ratio, 4),
    }


def _id_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session", type=number, help="a session's id, as qd sessions lists it")


def _show(context: Context) -> Output:
    connection = _needed(context)
    session = sessions.get(connection, context.options.session)
    found = generations.views(connection, session.id)
    latest = runs.latest(connection, 50, session.id)
    data = times(msgspec.structs.asdict(session)) | {
        "generations": found,
        "runs": [run_view(connection, run) for run in latest],
    }
    listed = [(run.id, run.trigger, run.outcome or run.state, run.summary or run.why or "") for run in latest]
    said = table(("run", "trigger", "outcome", "said"), listed, right=(0,))
    return Output(data, "\n\n".join((_heading(session), _generations_text(found, page()), said)))


def _heading(session: sessions.Session) -> str:
    from tui.clean import clean

    return clean(f"session {session.id}  {session.agent or session.source}  {session.title or session.workspace or ''}")


def _generations_text(found: list[dict[str, Any]], on: Page) -> str:
    """A table with the columns of `qd usage`, and below it what there is to say about each."""
    from tui.clean import clean

    numbers = (exact, tokens) if on.short else (exact,)
    made = fitted((_generations_table(found, number) for number in numbers), on.width)
    lines = [
        f"generation {view['number']}: {clean(remark)}"
        for view in found
        for remark in (generations.beginning(view), *generations.remarks(view))
    ]
    return "\n".join([made, *([""] if lines else []), *lines])


def _generations_table(found: list[dict[str, Any]], number: Callable[[int], str]) -> str:
    cells = [
        (
            f"{view['number']}{' (undone)' if view['undone_at'] else ''}",
            number(view["responses"]),
            *(number(view[name]) for name in generations.TOKENS),
            cost_cell(view),
        )
        for view in found
    ]
    header = ("generation", "responses", "input", "cache read", "cache write", "output", "cost")
    return table(header, cells, right=range(1, len(header)))


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


def _needed(context: Context) -> Connection:
    connection = context.reader()
    if connection is None:
        raise NotFound("there is no state yet", "open the console (qd) or run: qd usage")
    return connection


LIST = Verb(_list_arguments, _list)
SHOW = Verb(_id_argument, _show)
RESET = Verb(_reset_arguments, _reset)
