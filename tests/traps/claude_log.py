"""What does Claude Code write? Rows with the fields, in the order, of 2.1.329, in files where it keeps them."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from tests.traps.trap import Expected, write_rows

Row = dict[str, Any]
PROJECT = ".claude/projects/-home-dev-shop"
SONNET, OPUS, HAIKU = "claude-sonnet-5-5", "claude-opus-5-5", "claude-haiku-5-5"
START = datetime(2026, 11, 10, 9, tzinfo=UTC)
COUNTS = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")


def named(kind: str, *parts: object, length: int = 22) -> str:
    """An id that looks like a real one and is the same every time."""
    return kind + blake2b(repr((kind, parts)).encode()).hexdigest()[:length]


def uuid(*parts: object) -> str:
    """A UUID by name."""
    text = named("", *parts, length=32)
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}"


class Turn(NamedTuple):
    """One response, and the place where it happened."""

    session: str
    number: int
    used: dict[str, int]
    at: datetime
    agent: str = ""

    @property
    def message_id(self) -> str:
        return named("msg_01", self.session, self.agent, self.number)

    @property
    def request_id(self) -> str:
        return named("req_011C", self.session, self.agent, self.number)


def sessions(trap: str, count: int = 3) -> list[str]:
    """The ids of a trap's sessions."""
    return [uuid(trap, number) for number in range(count)]


def turns(session: str, count: int = 4, at: datetime = START, agent: str = "", first: int = 0) -> list[Turn]:
    """Responses whose context grows from one to the next, as it does."""
    seed = int(named("", session, agent, length=4), 16) % 97
    return [
        Turn(session, number, _used(seed, number), at + timedelta(minutes=3 * number, milliseconds=250 + seed), agent)
        for number in range(first, first + count)
    ]


def _used(seed: int, number: int) -> dict[str, int]:
    return dict(zip(COUNTS, (3 + seed, 8_000 + 900 * number + seed, 850 + 7 * number, 210 + 31 * number), strict=True))


def expected(all_turns: Iterable[Turn], extra: Iterable[dict[str, int]] = (), **more: Any) -> Expected:
    """Each response once, and other usage that the trap put in."""
    used = [*(turn.used for turn in all_turns), *extra]
    sums = [sum(one.get(name, 0) for one in used) for name in COUNTS]
    return Expected(len(used), *sums, **more)


def outputs_by(name: Callable[[Turn], str], all_turns: Iterable[Turn]) -> dict[str, int]:
    """Output tokens, grouped."""
    sums: dict[str, int] = {}
    for turn in all_turns:
        sums[name(turn)] = sums.get(name(turn), 0) + turn.used["output_tokens"]
    return sums


def stamp(at: datetime) -> str:
    """As the client writes a time."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def common(turn: Turn, part: int, kind: str, **more: Any) -> Row:
    """What user and assistant rows share."""
    row = {"type": kind, "uuid": uuid(turn.session, turn.agent, turn.number, kind, part)}
    row |= {"timestamp": stamp(turn.at + timedelta(milliseconds=40 * part)), "userType": "external"}
    row |= {"entrypoint": "cli", "cwd": "/home/dev/shop", "sessionId": turn.session, "version": "2.1.329"}
    return {**row, "gitBranch": "main", **more}


def usage(turn: Turn, output: int | None = None, **more: Any) -> Row:
    """The usage object of a response; cache writes live for an hour, as they mostly do."""
    used = turn.used
    written = used["cache_creation_input_tokens"]
    made = {"input_tokens": used["input_tokens"], "cache_creation_input_tokens": written}
    made |= {"cache_read_input_tokens": used["cache_read_input_tokens"]}
    made |= {"output_tokens": used["output_tokens"] if output is None else output}
    lifetimes = {"ephemeral_1h_input_tokens": written, "ephemeral_5m_input_tokens": 0}
    tools = {"web_search_requests": 0, "web_fetch_requests": 0}
    terms = {"server_tool_use": tools, "service_tier": "standard", "cache_creation": lifetimes}
    return {**made, **terms, "inference_geo": "", "iterations": [], "speed": "standard", **more}


def answer(
    turn: Turn,
    part: int = 0,
    output: int | None = None,
    stop: str | None = "end_turn",
    content: list[Row] | None = None,
    used: Row | None = None,
    message: Row | None = None,
    **more: Any,
) -> Row:
    """One row of a response. A `None` among `message` or `more` leaves the key out."""
    body = {"id": turn.message_id, "type": "message", "role": "assistant", "model": SONNET}
    body |= {"content": content or [{"type": "text", "text": f"Step {turn.number}, part {part}."}]}
    body |= {"stop_reason": stop, "stop_sequence": None, "usage": used or usage(turn, output), **(message or {})}
    row = {
        "parentUuid": None,
        "isSidechain": bool(turn.agent),
        "message": _without_none(body, message),
        "apiBlockIndex": part,
    }
    row |= {"requestId": turn.request_id, **common(turn, part, "assistant"), **more}
    return _without_none(row, more)


def _without_none(row: Row, given: Row | None) -> Row:
    gone = {name for name, value in (given or {}).items() if value is None}
    return {name: value for name, value in row.items() if name not in gone}


def ask(turn: Turn, text: str = "Add a test for the basket, then run it.") -> Row:
    """What the operator typed."""
    before = turn._replace(at=turn.at - timedelta(seconds=20))
    return {
        "parentUuid": None,
        "isSidechain": bool(turn.agent),
        "promptId": uuid(turn.session, "prompt"),
        **common(before, 0, "user", message={"role": "user", "content": text}),
    }


def result(turn: Turn, text: str = "3 passed in 0.12s", **more: Any) -> Row:
    """What a tool answered."""
    block = {"tool_use_id": named("toolu_01", turn.session, turn.number), "type": "tool_result", "content": text}
    after = turn._replace(at=turn.at + timedelta(seconds=5))
    row = common(after, 1, "user", message={"role": "user", "content": [block]}, toolUseResult={"stdout": text}, **more)
    return {"parentUuid": None, "isSidechain": bool(turn.agent), **row}


def others(turn: Turn) -> list[Row]:
    """Rows of kinds that hold no usage."""
    return [
        {"type": "file-history-snapshot", "messageId": uuid(turn.session, turn.number), "snapshot": {"files": {}}},
        {"type": "last-prompt", "lastPrompt": "Add a test", "leafUuid": uuid(turn.number), "sessionId": turn.session},
    ]


def log(
    home: Path, session: str, rows_of: Callable[[Turn], Iterable[Any]], given: list[Turn], end: bytes = b"\n"
) -> Path:
    """A session's file: a prompt, then each response's rows, with rows of other kinds between them."""
    opening = {"type": "queue-operation", "operation": "enqueue", "timestamp": stamp(given[0].at), "sessionId": session}
    rows: list[Any] = [opening, ask(given[0])]
    for turn in given:
        rows += [*rows_of(turn), result(turn), *others(turn)]
    return write_rows(home / PROJECT / f"{session}.jsonl", *rows, end=end)


def logs(home: Path, name: str, rows_of: Callable[[Turn], Iterable[Any]], **how: Any) -> list[Turn]:
    """A few sessions of the same kind; all their responses."""
    made = []
    for number, session in enumerate(sessions(name)):
        given = turns(session, at=START + timedelta(days=number))
        log(home, session, rows_of, given, **how)
        made += given
    return made


def agent_log(
    home: Path, session: str, agent: str, rows_of: Callable[[Turn], Iterable[Any]], given: list[Turn]
) -> Path:
    """A subagent's file."""
    rows = [{**row, "agentId": agent} for turn in given for row in (ask(turn, "Look for callers."), *rows_of(turn))]
    return write_rows(home / PROJECT / session / "subagents" / f"agent-{agent}.jsonl", *rows)


def plain(turn: Turn) -> list[Row]:
    """A response as it should be: one row."""
    return [answer(turn)]


def line(row: Row) -> bytes:
    """A row as the client writes it."""
    return json.dumps(row, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def cost_state(turn: Turn, so_far: Expected) -> Row:
    """The client's own running totals."""
    told = {"inputTokens": so_far.input_tokens, "outputTokens": so_far.output_tokens, "thinkingTokens": 0}
    told |= {"cacheReadInputTokens": so_far.cache_read_tokens, "cacheCreationInputTokens": so_far.cache_write_tokens}
    cost = 0.05 * so_far.responses
    told |= {"webSearchRequests": 0, "costUSD": cost}
    row = {"type": "cost-state", "sessionId": turn.session, "totalCostUSD": cost, "totalAPIDuration": 29}
    return {**row, "startTime": 1795221861700, "modelUsage": {SONNET: told}, "hasUnknownModelCost": False}
