"""What do agent CLIs write while they work? Lines as Claude Code and Codex write them, made up, with today's dates."""

import json
import random
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from tui.demo.props import ELSEWHERE

Row = dict[str, Any]
HISTORY_S = 3_300
"""So far back a tape begins."""
_FULL = 150_000
_AFTER_COMPACTION = 22_000
_CODEX_WINDOW = 258_400


class Tape(Protocol):
    """One session's log."""

    def begin(self) -> None:
        """Write what happened in the last hour."""

    def turn(self, at_s: float) -> None:
        """Write one more response."""


def tapes(user: Path, workspace: Path) -> tuple[Tape, ...]:
    """The sessions that a demo shows, in the order of how often something happens in them."""
    docs, infra = (workspace.parent / name for name in ELSEWHERE)
    return (
        ClaudeTape(user, workspace, 1, "fix the flaky basket test", "claude-sonnet-5-5", 48_000, 10),
        CodexTape(user, workspace, 2, "port the pump API to v2", 61_000, 16),
        ClaudeTape(user, workspace, 3, "vendor survey: pumps", "claude-haiku-4-5", 15_000, 30),
        ClaudeTape(user, docs, 4, "write the release notes", "claude-opus-5-5", 96_000, 120),
        CodexTape(user, infra, 5, "why does the nightly build time out?", 33_000, 300),
    )


class _Story:
    """How a conversation's context grows: the same every time."""

    def __init__(self, number: int, context: int, pause_s: int) -> None:
        self.random = random.Random(number)
        self.id = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        self.context = context
        self._pause_s = pause_s

    def past(self) -> Iterator[float]:
        """When its responses of the last hour came."""
        now_s = time.time()
        at_s = now_s - HISTORY_S + self.random.uniform(0, self._pause_s)
        while at_s < now_s - 5:
            yield at_s
            at_s += self.random.uniform(0.4, 1.6) * self._pause_s

    def step(self) -> tuple[int, int, int]:
        """Tokens of the next response: read from the cache, new in the prompt, answered."""
        if self.context > _FULL:
            self.context = _AFTER_COMPACTION
        fresh, answered = self.random.randint(180, 2_400), self.random.randint(60, 900)
        cached = self.context
        self.context += fresh + answered
        return cached, fresh, answered


class ClaudeTape:
    """A session file of Claude Code."""

    def __init__(self, user: Path, cwd: Path, number: int, title: str, model: str, context: int, pause_s: int) -> None:
        self._story = _Story(number, context, pause_s)
        self._cwd, self._title, self._model = str(cwd), title, model
        folder = "".join(char if char.isalnum() else "-" for char in str(cwd))
        self._path = user / ".claude" / "projects" / folder / f"{self._story.id}.jsonl"

    def begin(self) -> None:
        past = list(self._story.past())
        self._path.parent.mkdir(parents=True, exist_ok=True)
        asked = {"message": {"role": "user", "content": self._title}}
        self._write([self._row("user", (past or [time.time()])[0] - 8, **asked), *map(self._answer, past)])

    def turn(self, at_s: float) -> None:
        self._write([self._answer(at_s)])

    def _answer(self, at_s: float) -> Row:
        cached, fresh, answered = self._story.step()
        used = {"input_tokens": 4, "cache_creation_input_tokens": fresh, "cache_read_input_tokens": cached}
        used |= {"output_tokens": answered}
        body: Row = {"id": f"msg_{self._named()}", "type": "message", "role": "assistant", "model": self._model}
        text = [{"type": "text", "text": "The test waits for a clock that the basket does not have."}]
        body |= {"content": text, "stop_reason": "end_turn", "usage": used}
        return self._row("assistant", at_s, message=body, requestId=f"req_{self._named()}")

    def _row(self, kind: str, at_s: float, **more: Any) -> Row:
        row = {"parentUuid": None, "isSidechain": False, "type": kind, "uuid": self._named(), "timestamp": _stamp(at_s)}
        return {**row, "cwd": self._cwd, "sessionId": self._story.id, "version": "2.1.329", "gitBranch": "main", **more}

    def _named(self) -> str:
        return str(uuid.UUID(int=self._story.random.getrandbits(128), version=4))

    def _write(self, rows: list[Row]) -> None:
        _append(self._path, rows)


class CodexTape:
    """A rollout of Codex, with the windows of a subscription."""

    def __init__(self, user: Path, cwd: Path, number: int, title: str, context: int, pause_s: int) -> None:
        self._story = _Story(number, context, pause_s)
        self._cwd, self._title = str(cwd), title
        self._total = {"input_tokens": 0, "cached_input_tokens": 0, "output_tokens": 0, "reasoning_output_tokens": 0}
        self._resets_s = int(time.time()) + 8_040
        self._spent = 30.0 + number
        day = f"{datetime.now(UTC):%Y/%m/%d}"
        self._path = user / ".codex" / "sessions" / day / f"rollout-2026-01-01T00-00-00-{self._story.id}.jsonl"

    def begin(self) -> None:
        past = list(self._story.past())
        first_s = (past or [time.time()])[0] - 9
        self._path.parent.mkdir(parents=True, exist_ok=True)
        meta = {"id": self._story.id, "timestamp": _stamp(first_s), "cwd": self._cwd, "originator": "codex_cli"}
        meta |= {"cli_version": "0.98.0", "source": "cli", "model_provider": "openai"}
        rows = [_event(first_s, "session_meta", meta)]
        rows.append(_event(first_s, "turn_context", {"cwd": self._cwd, "model": "gpt-6.1-sol"}))
        rows.append(_event(first_s, "event_msg", {"type": "user_message", "message": self._title}))
        _append(self._path, [*rows, *(row for at_s in past for row in self._answer(at_s))])

    def turn(self, at_s: float) -> None:
        _append(self._path, self._answer(at_s))

    def _answer(self, at_s: float) -> list[Row]:
        cached, fresh, answered = self._story.step()
        used = {"input_tokens": cached + fresh, "cached_input_tokens": cached, "output_tokens": answered}
        used |= {"reasoning_output_tokens": answered // 3}
        self._total = {name: self._total[name] + used[name] for name in self._total}
        self._spent = min(99.0, self._spent + 0.1)
        info: Row = {"total_token_usage": _summed(self._total), "last_token_usage": _summed(used)}
        info |= {"model_context_window": _CODEX_WINDOW}
        text = [{"type": "output_text", "text": "The old API returns bars, the new one pascals."}]
        said = {"type": "message", "role": "assistant", "content": text}
        counted = {"type": "token_count", "info": info, "rate_limits": self._windows()}
        return [_event(at_s, "response_item", said), _event(at_s, "event_msg", counted)]

    def _windows(self) -> Row:
        hours = {"used_percent": round(self._spent, 1), "window_minutes": 300, "resets_at": self._resets_s}
        week = {"used_percent": 12.0, "window_minutes": 10_080, "resets_at": self._resets_s + 290_000}
        return {"limit_id": "codex", "primary": hours, "secondary": week, "credits": None, "plan_type": "plus"}


def _summed(used: dict[str, int]) -> dict[str, int]:
    return used | {"total_tokens": used["input_tokens"] + used["output_tokens"]}


def _event(at_s: float, kind: str, payload: Row) -> Row:
    return {"timestamp": _stamp(at_s), "type": kind, "payload": payload}


def _stamp(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _append(path: Path, rows: list[Row]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows))
