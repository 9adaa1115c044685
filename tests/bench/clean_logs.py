"""Does a counter read a client's ordinary log at all? One log per client with no trap in it, as the client writes it.

A peer that is wrong here is wrong by its definitions and not by a trap, so these rows open its table.
"""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.traps.trap import Expected, Trap, write_rows

CWD = "/home/dev/garden"
SESSION = "5d000000-0000-4000-8000-000000000001"
TURNS = 3
FIRST_MS = 1_794_304_800_000  # 2026-11-10T10:00:00Z


def _at(turn: int, second: int) -> str:
    return f"2026-11-10T10:{turn:02}:{second:02}.250Z"


def _at_ms(turn: int, second: int) -> int:
    return FIRST_MS + (turn * 60 + second) * 1000 + 250


def _claude_code(home: Path) -> Expected:
    common = {"sessionId": SESSION, "cwd": CWD, "version": "2.1.281", "gitBranch": "main", "isSidechain": False}
    rows: list[Any] = []
    for turn in range(TURNS):
        prompt = {"role": "user", "content": f"Water bed {turn}."}
        parent = f"a{turn - 1}" if turn else None
        rows.append({"type": "user", "uuid": f"q{turn}", "parentUuid": parent, "timestamp": _at(turn, 0)})
        rows[-1] |= {**common, "message": prompt}
        usage = {"input_tokens": 10 + turn, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 2000 + turn}
        usage |= {"cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 100}}
        usage |= {"output_tokens": 300 + turn, "service_tier": "standard"}
        message = {"id": f"msg_01{turn}", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929"}
        message |= {"stop_reason": "end_turn", "content": [{"type": "text", "text": "Done."}], "usage": usage}
        rows.append({"type": "assistant", "uuid": f"a{turn}", "parentUuid": f"q{turn}", "timestamp": _at(turn, 5)})
        rows[-1] |= {**common, "requestId": f"req_01{turn}", "message": message}
    write_rows(home / ".claude" / "projects" / "-home-dev-garden" / f"{SESSION}.jsonl", *rows)
    return Expected(TURNS, 33, 6003, 300, 903)


def _codex(home: Path) -> Expected:
    thread = "0199a000-0000-7000-8000-000000000001"
    meta = {"id": thread, "session_id": thread, "timestamp": _at(0, 0), "cwd": CWD, "originator": "codex_cli_rs"}
    meta |= {"cli_version": "0.169.0", "source": "cli", "model_provider": "openai"}
    rows: list[Any] = [{"timestamp": _at(0, 0), "type": "session_meta", "payload": meta}]
    total: dict[str, int] = {}
    for turn in range(TURNS):
        context = {"turn_id": f"t{turn}", "cwd": CWD, "model": "gpt-5.3-codex", "effort": "medium"}
        context |= {"approval_policy": "never", "sandbox_policy": {"type": "read-only"}}
        last = {"input_tokens": 1060 + turn, "cached_input_tokens": 1000, "cache_write_input_tokens": 40}
        last |= {"output_tokens": 107, "reasoning_output_tokens": 50 + turn, "total_tokens": 1167 + turn}
        total = {name: total.get(name, 0) + value for name, value in last.items()}
        info = {"total_token_usage": total, "last_token_usage": last, "model_context_window": 272_000}
        for second, kind, payload in (
            (1, "turn_context", context),
            (2, "event_msg", {"type": "user_message", "message": f"Water bed {turn}."}),
            (2, "response_item", _item("user", "input_text", f"Water bed {turn}.")),
            (5, "event_msg", {"type": "agent_message", "message": "Done."}),
            (5, "response_item", _item("assistant", "output_text", "Done.")),
            (6, "event_msg", {"type": "token_count", "info": info, "rate_limits": None}),
        ):
            rows.append({"timestamp": _at(turn, second), "type": kind, "payload": payload})
    folder = home / ".codex" / "sessions" / "2026" / "11" / "10"
    write_rows(folder / f"rollout-2026-11-10T10-00-00-{thread}.jsonl", *rows)
    return Expected(TURNS, 63, 3000, 120, 321)


def _item(role: str, kind: str, text: str) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def _openclaw(home: Path) -> Expected:
    model = {"provider": "anthropic", "modelId": "claude-sonnet-4-5"}
    rows: list[Any] = [
        {"type": "session", "version": 3, "id": SESSION, "timestamp": _at(0, 0), "cwd": CWD},
        {"type": "model_change", "id": "m0", "parentId": None, "timestamp": _at(0, 0), **model},
    ]
    for turn in range(TURNS):
        text = [{"type": "text", "text": f"Water bed {turn}."}]
        rows.append({"type": "message", "id": f"u{turn}", "parentId": f"e{turn - 1}" if turn else "m0"})
        rows[-1] |= {"timestamp": _at(turn, 1), "message": {"role": "user", "content": text}}
        usage = {"input": 12 + turn, "output": 210 + turn, "cacheRead": 8100, "cacheWrite": 640}
        usage |= {"totalTokens": 8962 + 2 * turn, "cost": {"total": 0.0081}}
        message = {"role": "assistant", "api": "anthropic-messages", "provider": "anthropic"}
        message |= {"model": "claude-sonnet-4-5", "content": [{"type": "text", "text": "Done."}]}
        message |= {"stopReason": "stop", "timestamp": _at_ms(turn, 5), "usage": usage}
        rows.append({"type": "message", "id": f"e{turn}", "parentId": f"u{turn}", "timestamp": _at(turn, 5)})
        rows[-1] |= {"message": message}
    folder = home / ".openclaw" / "agents" / "main" / "sessions"
    log = write_rows(folder / f"{SESSION}.jsonl", *rows)
    entry = {"sessionId": SESSION, "updatedAt": _at_ms(2, 5), "sessionFile": str(log)}
    write_rows(folder / "sessions.json", {"agent:main:main": entry})
    return Expected(TURNS, 39, 24300, 1920, 633)


def _gemini(home: Path) -> Expected:
    messages: list[Any] = []
    for turn in range(TURNS):
        messages.append({"id": f"q{turn}", "timestamp": _at(turn, 1), "type": "user", "content": f"Water bed {turn}."})
        tokens = {"input": 7100 + turn, "output": 180, "cached": 6000, "thoughts": 90, "tool": 0, "total": 7370 + turn}
        messages.append({"id": f"m{turn}", "timestamp": _at(turn, 5), "type": "gemini", "content": "Done."})
        messages[-1] |= {"model": "gemini-3-pro-preview", "tokens": tokens}
    project = "ab" * 32
    document = {"sessionId": SESSION, "projectHash": project, "startTime": _at(0, 0), "lastUpdated": _at(2, 5)}
    path = home / ".gemini" / "tmp" / project / "chats" / f"session-2026-11-10T10-00-{SESSION[:8]}.json"
    write_rows(path, document | {"messages": messages})
    return Expected(TURNS, 3303, 18000, 0, 810)


def _opencode(home: Path) -> Expected:
    folder = home / ".local" / "share" / "opencode"
    folder.mkdir(parents=True)
    with closing(sqlite3.connect(folder / "opencode.db")) as database, database:
        database.executescript(OPENCODE_TABLES)
        made = (FIRST_MS, FIRST_MS)
        database.execute("INSERT INTO project VALUES ('p1', ?, 'git', 'garden', ?, ?, '[]')", (CWD, *made))
        database.execute(
            "INSERT INTO session VALUES ('ses_1', 'p1', NULL, 'garden', ?, 'Garden', '1.3.0', ?, ?, NULL)", (CWD, *made)
        )
        for turn in range(TURNS):
            model = {"providerID": "anthropic", "modelID": "claude-sonnet-4-5"}
            asked = {"role": "user", "time": {"created": _at_ms(turn, 0)}, "agent": "build", "model": model}
            _opencode_message(database, f"msg_q{turn}", _at_ms(turn, 0), asked, f"Water bed {turn}.")
            tokens = {"input": 12 + turn, "output": 210, "reasoning": 40, "cache": {"read": 8100, "write": 640}}
            said = {"role": "assistant", "parentID": f"msg_q{turn}", **model, "mode": "build", "agent": "build"}
            said |= {"path": {"cwd": CWD, "root": CWD}, "cost": 0.0081, "tokens": tokens, "finish": "stop"}
            said |= {"time": {"created": _at_ms(turn, 5), "completed": _at_ms(turn, 9)}}
            _opencode_message(database, f"msg_r{turn}", _at_ms(turn, 5), said, "Done.")
    return Expected(TURNS, 39, 24300, 1920, 750)


OPENCODE_TABLES = """
CREATE TABLE project (id TEXT PRIMARY KEY, worktree TEXT, vcs TEXT, name TEXT, time_created INTEGER,
    time_updated INTEGER, sandboxes TEXT);
CREATE TABLE session (id TEXT PRIMARY KEY, project_id TEXT, parent_id TEXT, slug TEXT, directory TEXT, title TEXT,
    version TEXT, time_created INTEGER, time_updated INTEGER, time_archived INTEGER);
CREATE TABLE message (id TEXT PRIMARY KEY, session_id TEXT, time_created INTEGER, time_updated INTEGER, data TEXT);
CREATE TABLE part (id TEXT PRIMARY KEY, message_id TEXT, session_id TEXT, time_created INTEGER, time_updated INTEGER,
    data TEXT);
"""


def _opencode_message(database: sqlite3.Connection, key: str, at_ms: int, data: dict[str, Any], text: str) -> None:
    message = (key, "ses_1", at_ms, at_ms, json.dumps(data))
    part = (f"prt_{key}", key, "ses_1", at_ms, at_ms, json.dumps({"type": "text", "text": text}))
    database.execute("INSERT INTO message VALUES (?, ?, ?, ?, ?)", message)
    database.execute("INSERT INTO part VALUES (?, ?, ?, ?, ?, ?)", part)


_WHY = "nothing: an ordinary log"
CLEAN = (
    Trap("clean", "claude_code", _WHY, _claude_code),
    Trap("clean", "codex", _WHY, _codex),
    Trap("clean", "openclaw", _WHY, _openclaw),
    Trap("clean", "gemini", _WHY, _gemini),
    Trap("clean", "opencode", _WHY, _opencode),
)
