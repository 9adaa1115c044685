"""`qd budget ...`: limits are declared in the configuration; what is spent and held of them is in the ledger."""

import argparse
from typing import Any, get_args, get_type_hints

import msgspec

from engine.admission.words import dollars as said_dollars
from engine.config.model import Budget, Window
from engine.config.routed import Lane
from engine.contract.orders import Nothing
from engine.runtime.boards import BudgetRow, SubscriptionRow, budget_board, subscription_board
from engine.runtime.client import Client
from engine.runtime.edits import drop_entry, put_entry
from engine.runtime.settings import load_strict
from state.errors import UsageError
from tui.cli.amounts import dollars, tokens
from tui.cli.verb import Context, Output, Verb, fitted, following, local, no_arguments, noted, page, table, times
from tui.text import moment, percent, plural, window_name
from tui.text import tokens as short_tokens

_KEYS = (
    *("window", "tokens", "usd", "lane", "agent", "job", "task_type", "model", "source"),
    *("warn_at", "action"),
)
_HINTS = get_type_hints(Budget)
_SOURCES = get_args(get_args(_HINTS["source"])[0])
_ACTIONS = get_args(_HINTS["action"])


def _set_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="what to call it")
    parser.add_argument("--window", choices=get_args(Window), help="run (each by itself), hour, 5h, day, week or month")
    parser.add_argument("--tokens", type=tokens, help="the limit in each window, like 60000, 60k or 1.5M")
    parser.add_argument("--usd", type=dollars, help="the limit in dollars, instead or beside")
    parser.add_argument("--lane", choices=get_args(Lane), help="count only this lane")
    parser.add_argument("--agent", help="count only this agent")
    parser.add_argument("--job", help="count only this job")
    parser.add_argument("--task-type", help="count only this task type")
    parser.add_argument("--model", help="count only this model")
    parser.add_argument("--source", choices=_SOURCES, help="count only this source of usage")
    parser.add_argument("--warn-at", type=float, help="share of the limit from which to warn (0.8)")
    parser.add_argument("--action", choices=_ACTIONS, help="what happens to a run that does not fit (refuse)")


def _set(context: Context) -> Output:
    options = context.options
    known = load_strict(context.home).budget.get(options.name)
    if known is None and (options.window is None or (options.tokens is None and options.usd is None)):
        raise UsageError(
            "qd budget set: a new budget needs --window and --tokens or --usd",
            "for instance: --window day --tokens 60000",
        )
    values = {key: getattr(options, key) for key in _KEYS if getattr(options, key) is not None}
    put_entry(context.home, "budget", options.name, values)
    _tell_running_engine(context)
    rows = [row for row in _board(context) if row.name == options.name]
    said = f"{' and '.join(map(_sum, rows))} {_when(rows[0].window)}{_held(rows)}{_granted(rows, context.now_ms)}"
    text = f"Budget {options.name}: {said}, {rows[0].scope}."
    return Output({"budgets": [_row_view(row) for row in rows]}, text)


def _sum(row: BudgetRow) -> str:
    limit = _amount(row, row.limit)
    if row.window == "run":
        return limit
    return f"{said_dollars(row.spent) if row.unit == 'microusd' else f'{row.spent:,}'} of {limit}"


def _held(rows: list[BudgetRow]) -> str:
    held = [_amount(row, row.held) for row in rows if row.held]
    return f", {' and '.join(held)} held" if held else ""


def _granted(rows: list[BudgetRow], now_ms: int) -> str:
    """What was granted holds in this window only."""
    beyond = [_amount(row, row.granted) for row in rows if row.granted]
    until = moment(rows[0].window_end_ms, now_ms, None)
    return f", and {' and '.join(beyond)} granted beyond that until {until}" if beyond else ""


def _when(window: str) -> str:
    said = {"day": "spent today", "5h": "spent in five hours", "run": "for each run"}
    return said.get(window, f"spent this {window}")


def _amount(row: BudgetRow, number: int) -> str:
    return said_dollars(number) if row.unit == "microusd" else plural(number, "token")


def _list(context: Context) -> Output:
    connection = context.reader()
    board = budget_board(connection, load_strict(context.home), context.now_ms)
    windows = subscription_board(connection, context.now_ms)
    seen = following(context.home)
    value = {"budgets": [_row_view(row) for row in board], "subscriptions": [_window_view(row) for row in windows]}
    teach = "No budgets. Set one: qd budget set day --window day --tokens 60000"
    parts = [_budget_table(board) if board else teach, *([_window_table(windows)] if windows else [])]
    return Output(value | seen.view, noted("\n\n".join(parts), seen.note(context.now_ms)))


def _budget_table(board: list[BudgetRow]) -> str:
    """Everything where that fits, else what tells whether there is room, else that in short."""
    ways = [(_ALL, False), (_MAIN, False), *([(_MAIN, True), (_LEAST, True)] if page().short else [])]
    beyond = any(row.granted for row in board)
    shown = [(tuple(name for name in columns if beyond or name != "granted"), short) for columns, short in ways]
    return fitted((_table_of(board, columns, short) for columns, short in shown), page().width)


_LEAST = ("budget", "counts", "spent", "limit", "granted", "share", "state", "resets")
_MAIN = ("budget", "window", "counts", "spent", "limit", "granted", "share", "held", "action", "state", "resets")
_ALL = (*_MAIN[:8], "free", "observed", "overrun", *_MAIN[8:], "at the end", "runs out")
_NUMBERS = ("spent", "limit", "granted", "share", "held", "free", "observed", "overrun", "at the end")


def _table_of(board: list[BudgetRow], columns: tuple[str, ...], short: bool) -> str:
    rows = [[_cells(row, short)[name] for name in columns] for row in board]
    return table(columns, rows, right=(columns.index(name) for name in _NUMBERS if name in columns))


def _cells(row: BudgetRow, short: bool) -> dict[str, str]:
    def said(number: int) -> str:
        if row.unit == "microusd":
            return said_dollars(number)  # never shorter: what is compared must not round until it contradicts
        return short_tokens(number) if short else f"{number:,}"

    going = row.projection
    each = row.window == "run"
    unknown = row.unpriced > 0 and not row.spent
    return {
        "budget": row.name,
        "window": row.window,
        "counts": row.scope,
        "spent": "each run" if each else "-" if unknown else said(row.spent) + ("+" if row.unpriced else ""),
        "limit": said(row.limit),
        "granted": said(row.granted) if row.granted else "-",
        "share": "-" if each or unknown else percent(row.share),
        "held": "-" if each else said(row.held),
        "free": "-" if each else said(row.free),
        "observed": "-" if each else said(row.observed),
        "overrun": "-" if each else said(row.overrun),
        "action": row.action,
        "state": "-" if each else row.word,
        "resets": "-" if each else local(row.window_end_ms),
        "at the end": said(going.likely) if going else "-",
        "runs out": local(going.runs_out_ms) if going else "-",
    }


def _window_table(windows: list[SubscriptionRow]) -> str:
    """The providers' own windows, as their clients logged them."""
    rows = [
        (
            f"{row.source} {window_name(row.window_minutes) or row.name}",
            short_tokens(row.used_tokens) if row.kind == "block" else _percent(row.used_percent),
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
    said = {"most": row.most, "spent": row.spent, "taken": row.taken, "free": row.free, "level": row.level}
    return times(msgspec.structs.asdict(row)) | said | {"projection": projection}


def _window_view(row: SubscriptionRow) -> dict[str, Any]:
    return times(msgspec.structs.asdict(row))


def _name_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="a budget's name")


def _remove(context: Context) -> Output:
    drop_entry(context.home, "budget", context.options.name)
    _tell_running_engine(context)
    return Output({"budget": context.options.name}, f"Budget {context.options.name} is removed.")


def _tell_running_engine(context: Context) -> None:
    client = Client(context.home)
    if client.holder() is not None:
        client.order("reload", Nothing())


SET = Verb(_set_arguments, _set)
LIST = Verb(no_arguments, _list)
REMOVE = Verb(_name_argument, _remove)
