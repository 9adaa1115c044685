"""Which conversations began as copies of others?"""

from state.database import Connection


def note(tx: Connection, generation_id: int, provider_id: str) -> None:
    """This generation begins as a copy of the conversation that its provider calls so."""
    tx.execute("UPDATE generations SET forked_from = ? WHERE id = ?", (provider_id, generation_id))
