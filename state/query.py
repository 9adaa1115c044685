"""How does a query become records, and a record a row? Parameters only: what a value says is never read as SQL."""

from sqlite3 import Connection
from typing import Any, TypeVar

import msgspec

Row = TypeVar("Row", bound=msgspec.Struct)

__all__ = ["Connection", "insert", "row", "rows"]


def rows(connection: Connection, kind: type[Row], sql: str, parameters: tuple[Any, ...] = ()) -> list[Row]:
    """Run a query whose columns are the fields of `kind`, in any order, all fetched at once."""
    cursor = connection.execute(sql, parameters)
    names = [column[0] for column in cursor.description]
    if tuple(names) == kind.__struct_fields__:
        return [kind(*row) for row in cursor.fetchall()]
    return [kind(**dict(zip(names, row, strict=True))) for row in cursor.fetchall()]


def row(connection: Connection, kind: type[Row], sql: str, parameters: tuple[Any, ...] = ()) -> Row | None:
    """The first row of such a query, if there is one."""
    found = rows(connection, kind, sql, parameters)
    return found[0] if found else None


def insert(tx: Connection, table: str, values: dict[str, Any]) -> int:
    """Insert one row given by column name; returns its rowid."""
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    cursor = tx.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))
    return int(cursor.lastrowid or 0)
