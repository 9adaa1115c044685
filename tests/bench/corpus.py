"""Logs to measure with: like real ones in size and make, and the same every time.

Rows with usage are about a sixth of the bytes; a response has two rows, as clients write one for each content block.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path

_WORDS = [f"word{number} " for number in range(500)]


def write_claude(home: Path, megabytes: int, files: int) -> int:
    """A `.claude` folder below a HOME; returns its responses."""
    chance = random.Random(7)
    responses = 0
    for number in range(files):
        path = home / ".claude" / "projects" / f"-home-dev-p{number % 25}" / f"{_uuid(number)}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            while file.tell() < megabytes * 1_000_000 // files:
                responses += 1
                file.writelines(_turn(number, responses, chance))
    return responses


def append_turn(home: Path, number: int, turn: int) -> None:
    """One more response in one of those files."""
    path = home / ".claude" / "projects" / f"-home-dev-p{number % 25}" / f"{_uuid(number)}.jsonl"
    with path.open("ab") as file:
        file.writelines(_turn(number, turn, random.Random(turn)))


def _uuid(number: int) -> str:
    return f"5d000000-0000-4000-8000-{number:012}"


def _turn(number: int, turn: int, chance: random.Random) -> Iterator[bytes]:
    return (json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in _rows(number, turn, chance))


def _rows(number: int, turn: int, chance: random.Random) -> Iterator[dict]:
    def text(low: int, high: int) -> str:
        return "".join(chance.choices(_WORDS, k=chance.randint(low, high)))

    stamp = f"2026-{number % 10 + 1:02}-{number % 28 + 1:02}T{turn // 3600 % 24:02}:{turn // 60 % 60:02}:{turn % 60:02}"
    common = {"sessionId": _uuid(number), "cwd": f"/home/dev/p{number % 25}", "version": "2.1.329"}
    common |= {"isSidechain": False, "timestamp": f"{stamp}.250Z", "gitBranch": "main"}
    yield {"type": "user", **common, "message": {"role": "user", "content": text(10, 400)}}
    message_id = f"msg_01{chance.getrandbits(100):024x}"
    for block in range(2):
        lifetimes = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 2100}
        usage = {"input_tokens": 4, "cache_creation_input_tokens": 2100, "cache_read_input_tokens": 51200}
        usage |= {"cache_creation": lifetimes, "output_tokens": 10 + block, "service_tier": "standard"}
        message = {"id": message_id, "role": "assistant", "model": "claude-sonnet-4-5", "stop_reason": "end_turn"}
        message |= {"content": [{"type": "text", "text": text(5, 60)}], "usage": usage}
        yield {"type": "assistant", "uuid": f"u{turn}{block}", **common, "requestId": "req_1", "message": message}
    yield {"type": "user", **common, "message": {"content": [{"type": "tool_result", "content": text(100, 900)}]}}
    yield {"type": "file-history-snapshot", **common, "snapshot": {"files": text(50, 600)}}
