"""A run's folder as Claude Code leaves it: recorded output, whole or as far as it has come."""

from pathlib import Path
from typing import Any

import msgspec

from engine.adapters.claude_reader import FACTS, ClaudeReader, Facts
from engine.contract.progress import Progress

RECORDINGS = Path(__file__).parents[2] / "data" / "agents" / "claude"
OPEN = ("asked", "background", "left", "resumed", "stream-json-input", "unasked")
"""Recorded with an input that stays open."""


def recorded(name: str) -> bytes:
    return (RECORDINGS / f"{name}.jsonl").read_bytes()


def lines(*rows: dict[str, Any]) -> bytes:
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def reader(
    folder: Path, output: bytes, *, start: int = 0, errors: str = "", facts: Facts | None = None
) -> ClaudeReader:
    (folder / "stdout.log").write_bytes(output)
    (folder / "stderr.log").write_text(errors)
    if facts is not None:
        (folder / FACTS).write_bytes(msgspec.json.encode(facts))
    return ClaudeReader(folder, start)


def told(reading: ClaudeReader) -> list[Progress]:
    """All that it tells until there is nothing new."""
    progress: list[Progress] = []
    while (step := reading.poll()) is not None:
        progress += step
    return progress
