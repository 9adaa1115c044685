"""By which model does a conversation go on? By the one that its last run was told in so many words."""

import msgspec

from engine.config.model import Config
from engine.contract.route import Route
from state import runs
from state.database import Connection


def model_before(connection: Connection, session_id: int, config: Config) -> str | None:
    """As a request names it; None where the agent says, as it does again."""
    last = runs.last_in_session(connection, session_id)
    if last is None or last.route is None or last.agent not in config.agents:
        return None
    route = msgspec.json.decode(last.route, type=Route)
    if route.decided.get("model") != "spawn":
        return None
    if route.adapter in ("command", "acp"):
        return route.model
    return f"{route.adapter}/{route.model}" if route.model else route.adapter
