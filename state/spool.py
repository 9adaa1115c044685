"""How does an order get from a console to the engine? As one file each, written aside and renamed in.

What an order means is the engine's business: here it is an id, a kind, a body and an expiry. Its answer is stored
in the transaction of its effect, so that a crash in between never does it twice.
"""

import secrets
import time
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from state.database import Connection
from state.files import write_private
from state.home import Home

ORDER_LIFETIME_MS = 60_000


class Order(Struct, frozen=True):
    """One wish of one console."""

    id: str
    kind: str
    body: msgspec.Raw
    created_ms: int
    expires_ms: int
    """An order that is found later than this is answered `expired` and has no effect."""


class Answer(Struct, frozen=True):
    """What became of an order. `answer` is JSON: a result, or `{"error", "fix"}` when not `ok`."""

    id: str
    kind: str
    at_ms: int
    ok: bool
    answer: str


class BadOrder(Struct, frozen=True):
    """A file in the spool that is no order; it has been moved aside."""

    path: str
    why: str


def put(home: Home, kind: str, body: object, lifetime_ms: int = ORDER_LIFETIME_MS) -> str:
    """Leave an order for the engine; returns its id."""
    now = time.time_ns()
    order_id = f"{now:020d}-{secrets.token_hex(4)}"
    order = Order(
        id=order_id,
        kind=kind,
        body=msgspec.Raw(msgspec.json.encode(body)),
        created_ms=now // 1_000_000,
        expires_ms=now // 1_000_000 + lifetime_ms,
    )
    write_private(home.orders / f"{order_id}.json", msgspec.json.encode(order))
    return order_id


def pending(home: Home) -> tuple[list[Order], list[BadOrder]]:
    """Every order in the spool, oldest first; files that are none are moved to `orders/bad`."""
    orders: list[Order] = []
    bad: list[BadOrder] = []
    for path in sorted(home.orders.glob("[0-9]*.json")):
        try:
            order = msgspec.json.decode(path.read_bytes(), type=Order)
            if path.stem != order.id:
                raise msgspec.ValidationError("its id is not its file name")
            orders.append(order)
        except FileNotFoundError:
            continue
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OSError) as error:
            bad.append(BadOrder(path=str(_move_aside(home, path)), why=str(error)))
    return orders, bad


def remove(home: Home, order_id: str) -> None:
    """Take an order out of the spool: its answer is stored."""
    (home.orders / f"{order_id}.json").unlink(missing_ok=True)


def _move_aside(home: Home, path: Path) -> Path:
    folder = home.orders / "bad"
    folder.mkdir(mode=0o700, exist_ok=True)
    return path.rename(folder / path.name)


def answer_of(connection: Connection, order_id: str) -> Answer | None:
    """The stored answer, if the order has been done."""
    found = connection.execute("SELECT id, kind, at_ms, ok, answer FROM orders WHERE id = ?", (order_id,)).fetchone()
    if found is None:
        return None
    return Answer(id=found[0], kind=found[1], at_ms=found[2], ok=bool(found[3]), answer=found[4])


def store_answer(tx: Connection, order: Order, at_ms: int, ok: bool, answer: Any) -> None:
    """Record that an order is done, in the transaction that did it."""
    text = msgspec.json.encode(answer).decode()
    tx.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", (order.id, order.kind, at_ms, int(ok), text))


def forget_before(tx: Connection, at_ms: int) -> None:
    """Answers are kept long enough for the slowest console to read them."""
    tx.execute("DELETE FROM orders WHERE at_ms < ?", (at_ms,))
