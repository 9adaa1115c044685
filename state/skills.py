"""Which skills did the engine find on this machine, what does each cost a prompt, and which did the operator allow?"""

from msgspec import Struct

from state.database import Connection, row, rows


class Skill(Struct, frozen=True):
    """A folder with a SKILL.md. Tokens are counted by us, so for other vendors' models they are estimates."""

    path: str
    """The SKILL.md itself, absolute."""
    name: str
    description: str
    origin: str
    """`workspace`, `user`, `claude_code` or `codex`."""
    meta_tokens: int
    """Name and description: what every prompt carries when the skill is allowed."""
    body_tokens: int
    """The rest: what is read when it is used."""
    sha256: str
    problem: str | None
    """Why it cannot be used, when it cannot."""


class Pin(Struct, frozen=True):
    """A skill as it was when it was allowed."""

    name: str
    path: str
    """The SKILL.md itself, absolute."""
    sha256: str
    text: str
    """Of the SKILL.md, to show what has changed since."""
    allowed_ms: int


def found(connection: Connection) -> list[Skill]:
    return rows(connection, Skill, "SELECT * FROM skills ORDER BY name, path")


def replace(tx: Connection, skills: list[Skill]) -> None:
    """Set the inventory to exactly these."""
    tx.execute("DELETE FROM skills")
    tx.executemany(
        "INSERT INTO skills VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(s.path, s.name, s.description, s.origin, s.meta_tokens, s.body_tokens, s.sha256, s.problem) for s in skills],
    )


def pins(connection: Connection) -> list[Pin]:
    """Everything that was ever allowed, as it is allowed now."""
    return rows(connection, Pin, "SELECT * FROM skill_pins ORDER BY name, path")


def pin(tx: Connection, pin: Pin) -> None:
    """Allow a skill as it is in this pin, in place of what was allowed of this file under this name."""
    tx.execute(
        "INSERT INTO skill_pins VALUES (?, ?, ?, ?, ?) ON CONFLICT (name, path) DO UPDATE SET"
        " sha256 = excluded.sha256, text = excluded.text, allowed_ms = excluded.allowed_ms",
        (pin.name, pin.path, pin.sha256, pin.text, pin.allowed_ms),
    )


def pin_of(connection: Connection, name: str, path: str) -> Pin | None:
    """What is allowed of this file under this name; None when nothing ever was, or not any more."""
    return row(connection, Pin, "SELECT * FROM skill_pins WHERE (name, path) = (?, ?)", (name, path))


def unpin(tx: Connection, name: str, path: str) -> None:
    """As if it had never been allowed."""
    tx.execute("DELETE FROM skill_pins WHERE (name, path) = (?, ?)", (name, path))
