"""What is written down about each request?"""

from typing import Any

import msgspec

from tests.modelserver.asked import Usage


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One request, from its arrival; the server replaces it as it goes on."""

    n: int
    """From 1, over the life of the server."""
    method: str
    path: str
    """Without its query."""
    kind: str
    """`model` (a call that costs), `count`, `about` (models, tags, version) or `unknown`."""
    model: str | None = None
    headers: dict[str, str] = {}
    """Those that tell the client and its session, in lower case."""
    session: str | None = None
    auth_kind: str | None = None
    """`x-api-key` or `bearer`."""
    auth_value: str | None = None
    stream: bool = False
    system_chars: int = 0
    tools_chars: int = 0
    messages_chars: int = 0
    tool_names: tuple[str, ...] = ()
    prompt: str = ""
    """The last that the user said."""
    answered_calls: int = 0
    """Results of tools since then."""
    marks: tuple[str, ...] = ()
    billed: Usage = Usage()
    """What a provider would charge. A call that was answered with a status costs nothing; one that was cut or hung
    costs its whole input, and the output that had left (a plain answer is made before it leaves, and costs all)."""
    reported: bool = False
    """The whole usage went out to the client."""
    outcome: str = "open"
    """`open`, `ok`, `http 429`, `dropped headers`, `dropped mid`, `hung headers`, `hung mid` (from the moment that it
    hangs), `stream error`, `malformed`, `client gone`, `server closed`."""
    ended: bool = False
    """Nothing more happens to it."""
    body: Any = None
    """As it was sent; not in the log file."""

    @property
    def total_chars(self) -> int:
        return self.system_chars + self.tools_chars + self.messages_chars


def log_line(record: Record) -> bytes:
    told = msgspec.to_builtins(record) | {"total_chars": record.total_chars}
    del told["body"]
    return msgspec.json.encode(told) + b"\n"
