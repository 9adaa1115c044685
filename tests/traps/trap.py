"""What is a trap? A way in which real logs mislead, small enough that the exact answer is known by construction."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple


class Expected(NamedTuple):
    """What the responses in a trap really used. Tokens, in the terms of `qd usage --json`."""

    responses: int
    input_tokens: int
    """Uncached only."""
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    """Reasoning included."""
    by_day: dict[str, int] = {}
    """Output tokens by day in UTC, where the trap is about days."""
    sessions: dict[str, int] = {}
    """Output tokens by provider session id, where the trap is about whose they are."""
    refused: dict[str, int] = {}
    """Lines that nobody could use, by reason, where the trap has some."""

    @property
    def total(self) -> int:
        """Every token, once."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens + self.output_tokens


class Trap(NamedTuple):
    """One trap."""

    name: str
    """The short name of the pitfall, as in the table of docs/traps.md: `stream_dup`."""
    source: str
    """`claude_code`, `codex`, `openclaw`, `gemini` or `opencode`."""
    why: str
    """What happens, in one line, and thereby what a careless counter gets wrong."""
    build: Callable[[Path], Expected]
    """Writes the logs below a HOME (`home / ".claude"`, ...) and says what is in them."""


def write_rows(path: Path, *rows: Any, end: bytes = b"\n") -> Path:
    """A file of JSON lines; a row that is bytes is written as it is, without an end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        for row in rows:
            compact = json.dumps(row, separators=(",", ":"), ensure_ascii=False) if not isinstance(row, bytes) else ""
            file.write(row if isinstance(row, bytes) else compact.encode() + end)
    return path
