"""Which models were seen, and what did each cost by whom?

Prices are only ever added: a response keeps the id of its own.
"""

from msgspec import Struct

from state.database import Connection, rows


class KnownModel(Struct, frozen=True):
    """A model as logs name it, and what the price list that was asked last said about it."""

    id: int
    name: str
    provider: str
    """As the log names it; empty when it does not."""
    context_window: int | None
    """By the price list, tokens."""
    declared_window: int | None
    """By the operator, which counts more."""
    matched: str | None
    """The price list's own `provider/model` for it; None when the list does not know it."""
    asked: str | None
    """The price list that was asked last, with its version; None means never."""
    price_id: int | None
    price: str | None
    """The price by that list, as JSON."""


def model_id(tx: Connection, name: str, provider: str) -> int:
    """The id of a model, which is added when it is new."""
    tx.execute("INSERT OR IGNORE INTO models (name, provider) VALUES (?, ?)", (name, provider))
    found = tx.execute("SELECT id FROM models WHERE name = ? AND provider = ?", (name, provider)).fetchone()
    return int(found[0])


def known_models(connection: Connection) -> list[KnownModel]:
    """Every model, with the price by the list that was asked last, if that list has one."""
    return rows(
        connection,
        KnownModel,
        "SELECT m.*, p.id AS price_id, p.price FROM models m LEFT JOIN prices p ON p.id ="
        " (SELECT id FROM prices WHERE model_id = m.id AND origin = m.asked ORDER BY noted_ms DESC, id DESC LIMIT 1)"
        " ORDER BY m.id",
    )


def note_price(tx: Connection, model_id: int, origin: str, price: str, at_ms: int) -> int:
    """The id of this price, which is added when it is new. `price` is JSON."""
    found = tx.execute(
        "INSERT INTO prices (model_id, origin, price, noted_ms) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (model_id, origin, price) DO UPDATE SET noted_ms = excluded.noted_ms RETURNING id",
        (model_id, origin, price, at_ms),
    ).fetchone()
    return int(found[0])


def note_asked(tx: Connection, model_id: int, origin: str, matched: str | None, context_window: int | None) -> None:
    """What a price list was asked and what it matched; a window that it does not tell stays what it was."""
    tx.execute(
        "UPDATE models SET asked = ?, matched = ?, context_window = ifnull(?, context_window) WHERE id = ?",
        (origin, matched, context_window, model_id),
    )


def note_window(tx: Connection, model_id: int, declared_window: int | None) -> None:
    """The context window that the operator declares, in tokens; None: none any more."""
    tx.execute("UPDATE models SET declared_window = ? WHERE id = ?", (declared_window, model_id))
