"""`qd budget ...`: limits are declared in the configuration; what is taken of them is in the ledger."""

import argparse
from typing import Any, get_args

import msgspec

from engine.config.model import Lane, Window
from engine.config.write import drop_entry, put_entry
from engine.contract.orders import Nothing
from engine.runtime.boards import BudgetRow, SubscriptionRow, budget_board, subscription_board
from engine.runtime.client import Client
from engine.runtime.settings import CHECKS, load_strict
from state.errors import UsageError
from tui.cli.verb import Context, Output, Verb, local, no_arguments, table, times


def _set_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="what to call it")
    parser.add_argument("--window", choices=get_args(Window), help="hour, day, week or month")
    parser.add_argument("--tokens", type=_tokens, help="the limit in each window, like 60000, 60k or 1.5M")
    parser.add_argument("--lane", choices=get_args(Lane), help="count only this lane")
    parser.add_argument("--agent", help="count only this agent")
    parser.add_argument("--job", help="count only this job")
    parser.add_argument("--source", help="count only this source: quarterdeck, claude_code or codex")
    parser.add_argument("--warn-at", type=float, help="share of the limit from which to warn (0.8)")
    parser.add_argument("--action", choices=("refuse", "warn"), help="what happens to a run that does not fit (refuse)")


def _tokens(text: str) -> int:
    scales = {"k": 1_000, "m": 1_000_000}
    number, scale = (text[:-1], scales[text[-1].lower()]) if text[-1:].lower() in scales else (text, 1)
    try:
        return round(float(number) * scale)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"'{text}' is no number of tokens; write it like 60000, 60k or 1.5M") from None


def _set(context: Context) -> Output:
    options = context.options
    known = load_strict(context.home).budget.get(options.name)
    if known is None and (options.window is None or options.tokens is None):
        raise UsageError(
            "qd budget set: a new budget needs --window and --tokens", "for instance: --window day --tokens 60000"
        )
    keys = ("window", "tokens", "lane", "agent", "job", "source", "warn_at", "action")
    values = {key: getattr(options, key) for key in keys if getattr(options, key) is not None}
    put_entry(context.home.config_file, "budget", options.name, values, CHECKS)
    _tell_running_engine(context)
    row = next(row for row in _board(context) if row.name == options.name)
    window = "today" if row.window == "day" else f"this {row.window}"
    text = f"Budget {row.name}: {row.taken:,} of {row.limit_tokens:,} tokens taken {window}, {row.scope}."
    return Output(_row_view(row), text)


def _list(context: Context) -> Output:
    connection = context.reader()
    board = budget_board(connection, load_strict(context.home), context.now_ms)
    windows = subscription_board(connection, context.now_ms)
    value = {"budgets": [_row_view(row) for row in board], "subscriptions": [_window_view(row) for row in windows]}
    teach = "No budgets. Set one: qd budget set day --window day --tokens 60000"
    parts = [_budget_table(board) if board else teach, *([_window_table(windows)] if windows else [])]
    return Output(value, "\n\n".join(parts))


def _budget_table(board: list[BudgetRow]) -> str:
    rows = [
        (
            row.name,
            row.window,
            row.scope,
            f"{row.taken:,}",
            f"{row.limit_tokens:,}",
            f"{row.share:.0%}",
            f"{row.held:,}",
            f"{row.overrun:,}",
            row.level,
            local(row.window_end_ms),
            f"{row.projection.likely:,}" if row.projection else "-",
            local(row.projection.runs_out_ms) if row.projection else "-",
        )
        for row in board
    ]
    header = ("budget", "window", "counts", "taken", "limit", "share", "reserved", "overrun", "state", "resets")
    return table((*header, "at the end", "runs out"), rows, right=(3, 4, 5, 6, 7, 10))


def _window_table(windows: list[SubscriptionRow]) -> str:
    """The providers' own windows, as their clients logged them."""
    from tui.text import tokens, window_name

    rows = [
        (
            f"{row.source} {window_name(row.window_minutes) or row.name}",
            tokens(row.used_tokens) if row.kind == "block" else _percent(row.used_percent),
            "has reset" if row.state == "reset" else local(row.resets_ms),
            local(row.logged_ms) if row.kind == "limit" else "counted by us",
            row.plan or "-",
        )
        for row in windows
    ]
    return table(("subscription", "used", "resets", "logged", "plan"), rows, right=(1,))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0f}%"


def _board(context: Context) -> list[BudgetRow]:
    return budget_board(context.reader(), load_strict(context.home), context.now_ms)


def _row_view(row: BudgetRow) -> dict[str, Any]:
    projection = times(msgspec.structs.asdict(row.projection)) if row.projection else None
    said = {"taken": row.taken, "free": row.free, "level": row.level, "projection": projection}
    return times(msgspec.structs.asdict(row)) | said


def _window_view(row: SubscriptionRow) -> dict[str, Any]:
    return times(msgspec.structs.asdict(row))


def _name_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="a budget's name")


def _remove(context: Context) -> Output:
    drop_entry(context.home.config_file, "budget", context.options.name, CHECKS)
    _tell_running_engine(context)
    return Output({"budget": context.options.name}, f"Budget {context.options.name} is removed.")


def _tell_running_engine(context: Context) -> None:
    client = Client(context.home)
    if client.holder() is not None:
        client.order("reload", Nothing())


SET = Verb(_set_arguments, _set)
LIST = Verb(no_arguments, _list)
REMOVE = Verb(_name_argument, _remove)
