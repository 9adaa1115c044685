"""Who may come in? Who knows the token, and is neither another site's page nor led here by another name."""

import hmac
from collections.abc import Mapping

NAMES = ("127.0.0.1", "localhost")
"""By which a browser on this machine, or at the other end of a tunnel, calls us. Any other name in `Host` was made to
point here by somebody else."""


def refusal(path: str, headers: Mapping[str, str], token: str) -> str:
    """Why this request is not answered; empty when it is. The first part of the path is the token."""
    host = headers.get("Host", "")
    if host.rpartition(":")[0] not in NAMES and host not in NAMES:
        return "this is not its name"
    origin = headers.get("Origin")
    if origin is None and headers.get("Upgrade", "").casefold() == "websocket":
        return "a browser says where it comes from"  # every one does, when it opens a websocket
    if origin is not None and origin != f"http://{host}":
        return "another site asks"
    given = path.removeprefix("/").partition("/")[0]
    return "" if hmac.compare_digest(given.encode(errors="replace"), token.encode()) else "the token is another one"
