"""Which skills did the engine find on this machine, and what does each one cost a prompt?"""

from msgspec import Struct

from state.database import Connection, rows


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


def found(connection: Connection) -> list[Skill]:
    return rows(connection, Skill, "SELECT * FROM skills ORDER BY name, path")


def replace(tx: Connection, skills: list[Skill]) -> None:
    """Set the inventory to exactly these."""
    tx.execute("DELETE FROM skills")
    tx.executemany(
        "INSERT INTO skills VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(s.path, s.name, s.description, s.origin, s.meta_tokens, s.body_tokens, s.sha256, s.problem) for s in skills],
    )
