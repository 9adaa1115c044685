"""Claude Code's traps, one for each way in which its logs are known to mislead."""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.traps.claude_log import (
    COUNTS,
    OPUS,
    PROJECT,
    START,
    Row,
    Turn,
    agent_log,
    answer,
    common,
    cost_state,
    expected,
    line,
    log,
    logs,
    named,
    outputs_by,
    plain,
    result,
    sessions,
    turns,
    usage,
    uuid,
)
from tests.traps.trap import Expected, Trap, write_rows


def _rows_trap(name: str, rows_of: Callable[[Turn], Iterable[Any]], **how: Any) -> Callable[[Path], Expected]:
    return lambda home: expected(logs(home, name, rows_of, **how))


# One response on several rows


def _stream(turn: Turn) -> Iterator[Row]:
    final = turn.used["output_tokens"]
    for part, output in enumerate((1, final // 3, final)):
        yield answer(turn, part, output, "end_turn" if output == final else None)


def _blocks(turn: Turn) -> Iterator[Row]:
    tool = {"type": "tool_use", "id": named("toolu_01", turn), "name": "Bash", "input": {"command": "make test"}}
    blocks = ({"type": "thinking", "thinking": "...", "signature": "..."}, {"type": "text", "text": "..."}, tool)
    for part, block in enumerate(blocks):
        yield answer(turn, part, content=[block], stop="tool_use")


def _low_last(turn: Turn) -> Iterator[Row]:
    yield answer(turn, 0, 2, None)
    yield answer(turn, 1)
    yield answer(turn, 2, 2, None)


# Identity


def _sidechain_replay(home: Path) -> Expected:
    main = logs(home, "sidechain_replay", plain)
    agents = []
    for session in sessions("sidechain_replay"):
        own = turns(session, 2, START + timedelta(hours=1), agent="a1f00d")
        agents += own
        again = [turn for turn in main if turn.session == session][-2:]
        agent_log(home, session, "a1f00d", lambda turn, again=again: _replayed(turn, again), own)
    sums = outputs_by(lambda turn: turn.session, [*main, *agents])
    return expected([*main, *agents], sessions=sums)


def _replayed(turn: Turn, parents: list[Turn]) -> Iterator[Row]:
    if turn.number == 0:
        for parent in parents:
            new = {"uuid": uuid("replay", parent.message_id), "requestId": named("req_replay", parent.message_id)}
            yield answer(parent, 0, isSidechain=True, **new)
    yield answer(turn)


def _gateway(turn: Turn) -> Iterator[Row]:
    for part in range(2):
        yield answer(turn, part, message={"id": "chatcmpl-0"}, requestId=None)


def _no_ids(turn: Turn) -> list[Row]:
    return [answer(turn, message={"id": None}, requestId=None)]


def _resume_copy(home: Path) -> Expected:
    first, second, third = sessions("resume_copy")
    old, newer, newest = (
        turns(first),
        turns(second, 2, START + timedelta(hours=1)),
        turns(third, 1, START + timedelta(hours=2)),
    )
    log(home, first, plain, old)
    for session, own, before in ((second, newer, old), (third, newest, [*old, *newer])):
        copied = [row for turn in before for row in (answer(turn), result(turn))]
        origin = {"sessionId": before[-1].session}
        copies = [{**row, "sessionId": session, "forkedFrom": {**origin, "messageUuid": row["uuid"]}} for row in copied]
        log(
            home, session, lambda turn, copies=copies, own=own: [*(copies if turn == own[0] else []), answer(turn)], own
        )
    every = [*old, *newer, *newest]
    return expected(every, sessions=outputs_by(lambda turn: turn.session, every))


def _dup_home(home: Path) -> Expected:
    made = logs(home, "dup_home", _stream)
    for path in sorted((home / PROJECT).iterdir()):
        write_rows(home / ".config" / "claude" / "projects" / "-home-dev-shop" / path.name, path.read_bytes())
    return expected(made)


# Usage that is no response's


def _tool_result_usage(home: Path) -> Expected:
    every = []
    for session in sessions("tool_result_usage"):
        main, own = turns(session), turns(session, 2, START + timedelta(minutes=30), agent="a2beef")
        agent_log(home, session, "a2beef", plain, own)
        total = usage(own[-1], sum(turn.used["output_tokens"] for turn in own))
        told = {"status": "completed", "agentId": "a2beef", "totalTokens": 12_345, "usage": total}
        log(home, session, lambda turn, told=told: [answer(turn), {**result(turn), "toolUseResult": told}], main)
        every += [*main, *own]
    return expected(every)


def _progress_nested(home: Path) -> Expected:
    every = []
    for session in sessions("progress_nested"):
        main, own = turns(session), turns(session, 3, START + timedelta(minutes=30), agent="a3cafe")
        agent_log(home, session, "a3cafe", plain, own)
        nested = [
            {
                **common(turn, 9, "progress"),
                "data": {"type": "agent_progress", "message": answer(turn, message={"id": named("msg_01x", turn)})},
            }
            for turn in own
        ]
        log(home, session, lambda turn, nested=nested: [answer(turn), *nested], main)
        every += [*main, *own]
    return expected(every)


def _quoted(turn: Turn) -> Iterator[Row]:
    theirs = answer(turn._replace(session="another"), output=99_999)
    tool = {"type": "tool_use", "id": named("toolu_01", turn), "name": "Write"}
    tool |= {"input": {"file_path": "/home/dev/shop/log.json", "content": theirs, "usage": theirs["message"]["usage"]}}
    yield answer(turn, content=[tool], stop="tool_use")
    yield result(turn, json.dumps(theirs) + "\n" + json.dumps({"usage": usage(turn)}))
    yield {**result(turn), "toolUseResult": {"type": "assistant", "message": theirs["message"]}}
    yield {"type": "file-history-snapshot", "messageId": turn.message_id, "snapshot": {"usage": usage(turn)}}


# The usage object


def _cache_1h(turn: Turn) -> list[Row]:
    written = turn.used["cache_creation_input_tokens"]
    lifetimes = {"ephemeral_1h_input_tokens": written - 100, "ephemeral_5m_input_tokens": 100}
    return [answer(turn, used=usage(turn, cache_creation=lifetimes))]


def _nested_only(turn: Turn) -> list[Row]:
    return [answer(turn, used=usage(turn, cache_creation_input_tokens=0))]


def _null_fields(turn: Turn) -> list[Row]:
    nulls = {"server_tool_use": None, "service_tier": None, "cache_creation": None, "inference_geo": None}
    nulls |= {"iterations": None, "speed": None, "output_tokens_details": None}
    row = answer(turn, used=usage(turn, **nulls))
    row |= {"gitBranch": None, "costUSD": None, "isApiErrorMessage": None, "isMeta": None}
    return [row]


def _zero_as_null(home: Path) -> Expected:
    every = logs(home, "null_usage_fields", _null_fields)
    session = uuid("null_usage_fields", "nothing cached")
    given = [
        turn._replace(used={**turn.used, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0})
        for turn in turns(session)
    ]
    empty = {"cache_read_input_tokens": None, "cache_creation_input_tokens": None}
    empty |= {"cache_creation": {"ephemeral_1h_input_tokens": None, "ephemeral_5m_input_tokens": None}}
    log(home, session, lambda turn: [answer(turn, used=usage(turn, **empty))], given)
    return expected([*every, *given])


def _null_in_tool_input(turn: Turn) -> list[Row]:
    tool = {"type": "tool_use", "id": named("toolu_01", turn), "name": "Grep", "caller": None}
    tool |= {"input": {"pattern": "basket", "glob": None, "limits": [None, {"head": None}]}}
    return [answer(turn, content=[tool], stop="tool_use")]


def _synthetic(turn: Turn) -> Iterator[Row]:
    yield answer(turn)
    nothing = {**usage(turn), **dict.fromkeys(COUNTS, 0), "cache_creation": None, "service_tier": None}
    error = {"id": uuid("error", turn), "model": "<synthetic>", "stop_reason": "stop_sequence"}
    later = turn._replace(at=turn.at + timedelta(minutes=1))
    yield answer(later, 5, used=nothing, message=error, isApiErrorMessage=True, error="rate_limit", requestId=None)
    yield answer(later, 6, used=nothing, message={**error, "id": uuid("none", turn)}, requestId=None)


def _iterations(home: Path) -> Expected:
    advice = {
        "input_tokens": 1_200,
        "cache_read_input_tokens": 300,
        "cache_creation_input_tokens": 40,
        "output_tokens": 610,
    }
    summary = {"input_tokens": 180_000, "output_tokens": 3_500}
    extra: list[dict[str, int]] = []

    def rows_of(turn: Turn) -> Iterator[Row]:
        own = {"type": "message", **turn.used}
        advisor = {"type": "advisor_message", "model": OPUS, **advice}
        compaction = {"type": "compaction", "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0, **summary}
        parts: list[Row] = [[own], [own, advisor], [compaction, own], [compaction, own, advisor]][turn.number]  # type: ignore[assignment]
        extra.extend(advice for part in parts if part["type"] == "advisor_message")
        extra.extend(summary for part in parts if part["type"] == "compaction")
        for part in range(2):
            yield answer(turn, part, used=usage(turn, iterations=parts))

    return expected(logs(home, "iterations", rows_of), extra)


def _cost_state(home: Path) -> Expected:
    every = []
    for session in sessions("cost_state"):
        given = turns(session)
        so_far = [expected(given[: number + 1]) for number in range(len(given))]
        log(
            home,
            session,
            lambda turn, so_far=so_far: [answer(turn, costUSD=0.05), cost_state(turn, so_far[turn.number])],
            given,
        )
        every += given
    return expected(every)


# The bytes


def _torn_tail(home: Path) -> Expected:
    made = logs(home, "torn_tail", plain)
    for session in sessions("torn_tail"):
        being_written = turns(session, 1, first=9)[0]
        write_rows(home / PROJECT / f"{session}.jsonl", line(answer(being_written))[:-40])
    return expected(made)


def _torn_middle(home: Path) -> Expected:
    every = []
    for session in sessions("torn_middle"):
        given = turns(session)

        def rows_of(turn: Turn, lost: int = 2) -> list[Any]:
            if turn.number != lost:
                return [answer(turn)]
            torn = line(answer(turn, content=[{"type": "text", "text": "x" * 400}]))[:300]
            return [torn + line(answer(turn))]  # the next record starts where the torn one ends

        log(home, session, rows_of, given)
        every += [turn for turn in given if turn.number != 2]
    return expected(every, refused={"bad_json": len(sessions("torn_middle"))})


def _bad_utf8(turn: Turn) -> list[Any]:
    good = line(answer(turn, content=[{"type": "text", "text": "price: MARK"}]))
    bad = line(answer(turn, message={"model": "claude-MARK"}))
    return [(bad if turn.number % 2 else good).replace(b"MARK", b"\xe2\x82\xff\xc3")]


def _long_line(home: Path) -> Expected:
    session = uuid("long_line")
    given = turns(session, 2)
    long = "0123456789abcdef" * (2 * 1024 * 1024 // 16)

    def rows_of(turn: Turn) -> list[Row]:
        if turn.number == 0:
            return [answer(turn), result(turn, long)]
        return [answer(turn, content=[{"type": "text", "text": long}])]

    log(home, session, rows_of, given)
    return expected(given)


def _spaced(turn: Turn) -> list[bytes]:
    return [json.dumps(answer(turn), separators=(" , ", " : ")).encode() + b"\n"]


def _tz_offset(home: Path) -> Expected:
    every = []
    for session in sessions("tz_offset"):
        for number, (text, at) in enumerate(_ELSEWHERE):
            turn = turns(session, 1, first=number)[0]._replace(at=at)
            log(home, session, lambda turn, text=text: [answer(turn, timestamp=text)], [turn])
            every.append(turn)
    return expected(every, by_day=outputs_by(lambda turn: turn.at.date().isoformat(), every))


_ELSEWHERE = tuple(
    (text, datetime.fromisoformat(text).astimezone(UTC))
    for text in (
        "2026-11-11T01:30:00.000+02:00",
        "2026-11-10T22:15:00-05:00",
        "2026-11-12T05:00:00.5+05:30",
        "2026-11-10T12:00:00+00:00",
    )
)


def _midnight(home: Path) -> Expected:
    every = []
    for number, session in enumerate(sessions("midnight")):
        late = datetime(2026, 11, 10 + number, 23, 50, 59, 980_000, tzinfo=UTC)
        given = [turn._replace(at=late + timedelta(minutes=3 * turn.number)) for turn in turns(session, 5)]
        log(home, session, _stream, given)  # the parts are 40 ms apart: the fourth's day is the one it began on
        every += given
    return expected(every, by_day=outputs_by(lambda turn: turn.at.date().isoformat(), every))


def _nul_bytes(turn: Turn) -> list[bytes]:
    return [b"\0" * 64 + b"\n", b"\0" * 512 + line(answer(turn))] if turn.number % 2 else [line(answer(turn))]


def _trap(name: str, why: str, build: Callable[[Path], Expected]) -> Trap:
    return Trap(name, "claude_code", why, build)


def _rows(name: str, why: str, rows_of: Callable[[Turn], Iterable[Any]], **how: Any) -> Trap:
    return _trap(name, why, _rows_trap(name, rows_of, **how))


TRAPS: tuple[Trap, ...] = (
    _rows("stream_dup", "one response on several rows with growing output: the first row is far too low", _stream),
    _rows("block_dup", "one response on a row for each content block, each with the whole usage", _blocks),
    _rows("low_after_final", "a smaller snapshot follows the final one: the last row is wrong too", _low_last),
    _trap("sidechain_replay", "a subagent's file repeats parent rows under other request ids", _sidechain_replay),
    _rows(
        "no_request_id",
        "a gateway leaves out `requestId`, so id and request id name nothing",
        lambda turn: [answer(turn, part, requestId=None) for part in range(2)],
    ),
    _rows("gateway_id", "a gateway gives every response one id: by id there is but one response", _gateway),
    _rows("no_ids", "neither message id nor request id: rows fall out, or into one", _no_ids),
    _trap("resume_copy", "resume and fork copy rows into a new session's file", _resume_copy),
    _trap("dup_home", "the same files in `~/.claude` and `~/.config/claude`", _dup_home),
    _trap(
        "tool_result_usage",
        "a tool result tells its subagent's usage, whose own file has it already",
        _tool_result_usage,
    ),
    _trap("progress_nested", "progress rows nest whole assistant messages of a subagent", _progress_nested),
    _rows("quoted_usage", "tool input, output and snapshots quote usage objects and whole rows", _quoted),
    _rows("cache_1h", "cache writes by lifetime are parts of the flat count, not more of it", _cache_1h),
    _rows("cache_nested_only", "the flat cache-write count is 0, only the lifetimes have it", _nested_only),
    _trap("null_usage_fields", "optional fields are null: a strict parser drops the row", _zero_as_null),
    _rows("null_in_tool_input", "nulls deep in a tool's input: a strict parser drops the row", _null_in_tool_input),
    _rows("synthetic", "rows that the client made itself, for errors: no responses, no model", _synthetic),
    _trap(
        "iterations",
        "the server's own sub-calls are not in the top-level counts, and some ran on another model",
        _iterations,
    ),
    _trap("cost_state", "the client's running totals and old `costUSD` beside the rows: not usage to add", _cost_state),
    _trap("torn_tail", "the last row is still being written", _torn_tail),
    _trap("torn_middle", "a row torn by a crash swallows the next one: report it, lose nothing else", _torn_middle),
    _rows("bad_utf8", "bytes that are not UTF-8: no row, and no file, is lost for them", _bad_utf8),
    _trap("long_line", "rows of megabytes beside small ones", _long_line),
    _rows("crlf", "line ends of another system", plain, end=b"\r\n"),
    _rows("spaced_json", 'JSON with spaces: a search for `"usage":` finds nothing', _spaced),
    _trap("tz_offset", "times with offsets other than Z: another day in UTC", _tz_offset),
    _trap("midnight", "a response that begins before midnight and ends after it", _midnight),
    _rows("nul_bytes", "runs of NUL bytes from a crash before good rows", _nul_bytes),
)
