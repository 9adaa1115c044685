"""Log files as they really are: growing, torn, truncated, replaced, damaged."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.contract.usage import LogRoot
from engine.telemetry import line_log
from engine.telemetry.catalog import SOURCES, survey
from engine.telemetry.source import best_of

FILE = "-home-x/s1.jsonl"
THREAD = "01a1fb94-9990-7dc2-aaa2-018b37779d51"


def claude(n, output=1, message_id=None):
    message = {"id": message_id or f"msg_{n}", "model": "m", "stop_reason": "end_turn"}
    message["usage"] = {"input_tokens": 1, "output_tokens": output}
    return {"type": "assistant", "uuid": f"u{n}", "timestamp": f"2026-11-10T10:00:{n % 60:02}Z", "message": message}


def line(row, end=b"\n"):
    return json.dumps(row).encode() + end


def test_a_torn_tail_is_read_once_it_is_whole(claude_home):
    whole = line(claude(2))
    claude_home.write(FILE, claude(1), whole[:40])
    (batch,) = claude_home.read()
    assert (batch.lines, batch.cursor.offset, batch.cursor.size) == (1, len(line(claude(1))), len(line(claude(1))) + 40)
    assert claude_home.read() == []
    claude_home.append(FILE, whole[40:])
    (batch,) = claude_home.read()
    assert [response.key for response in batch.parts[0].responses] == ["msg_2"]
    assert not batch.restarted


def test_only_what_is_new_is_read(claude_home):
    path = claude_home.write(FILE, claude(1))
    claude_home.read()
    assert claude_home.read() == []
    claude_home.append(FILE, claude(2))
    (batch,) = claude_home.read()
    assert [(response.key, response.offset) for response in batch.parts[0].responses] == [
        ("msg_2", len(line(claude(1))))
    ]
    assert path.read_bytes()[batch.parts[0].responses[0].offset :] == line(claude(2))


def test_a_truncated_file_is_read_from_its_start(claude_home):
    claude_home.write(FILE, *map(claude, range(9)))
    claude_home.read()
    claude_home.write(FILE, claude(20))
    (batch,) = claude_home.read()
    assert batch.restarted
    assert [response.key for response in batch.parts[0].responses] == ["msg_20"]


def test_a_file_emptied_tells_so(claude_home):
    claude_home.write(FILE, claude(1))
    claude_home.read()
    claude_home.write(FILE)
    (batch,) = claude_home.read()
    assert (batch.restarted, batch.cursor.offset, batch.cursor.size) == (True, 0, 0)


def test_another_content_in_the_same_inode_is_read_from_its_start(claude_home):
    path = claude_home.write(FILE, claude(1))
    claude_home.read()
    inode = path.stat().st_ino
    claude_home.write(FILE, claude(5), claude(6), claude(7))
    (batch,) = claude_home.read()
    assert path.stat().st_ino == inode
    assert batch.restarted
    assert [response.key for response in batch.parts[0].responses] == ["msg_5", "msg_6", "msg_7"]


def test_the_same_head_but_no_line_end_where_one_was_is_another_file(claude_home):
    head = line({"type": "file-history-snapshot", "x": "y" * 2000})
    claude_home.write(FILE, head, claude(1))
    claude_home.read()
    claude_home.write(FILE, head, {**claude(2), "padding": "z" * 500})
    (batch,) = claude_home.read()
    assert batch.restarted
    assert [response.key for response in batch.parts[0].responses] == ["msg_2"]


def test_another_inode_is_another_file(claude_home):
    path = claude_home.write(FILE, claude(1))
    claude_home.read()
    other = path.with_name("other")
    other.write_bytes(line(claude(1)) + line(claude(2)))
    other.rename(path)
    (batch,) = claude_home.read()
    assert batch.restarted
    assert len(claude_home.responses) == 2


def test_a_carry_that_is_not_ours_reads_the_file_again(claude_home):
    path = claude_home.write(FILE, claude(1))
    (batch,) = claude_home.read()
    claude_home.cursors[str(path)] = type(batch.cursor)(**{**_fields(batch.cursor), "carry": "[]"})
    (again,) = claude_home.read()
    assert again.restarted
    assert len(claude_home.responses) == 1


def _fields(struct):
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


def test_blank_lines_crlf_and_spaced_json(claude_home):
    spaced = json.dumps(claude(2), separators=(" , ", " : ")).encode()
    claude_home.write(FILE, line(claude(1), b"\r\n"), b"\r\n", b"\n", b"   \n", spaced + b"\r\n")
    claude_home.read()
    assert sorted(claude_home.responses) == ["msg_1", "msg_2"]
    assert claude_home.refused == {}


@pytest.mark.parametrize(
    ("damage", "key"),
    [
        pytest.param(lambda row: row.replace(b'"m"', b'"\xff\xfe"'), "msg_1", id="bad UTF-8 in a wanted field"),
        pytest.param(lambda row: row.replace(b"{", b'{"x":"\xc3(",', 1), "msg_1", id="bad UTF-8 elsewhere"),
        pytest.param(lambda row: b"\0" * 50 + row, "msg_1", id="NUL bytes before"),
        pytest.param(lambda row: b"\xef\xbb\xbf" + row, "msg_1", id="byte order mark"),
        pytest.param(lambda row: row.replace(b"{", b'{"x":NaN,', 1), "msg_1", id="NaN"),
        pytest.param(lambda row: row.replace(b'"m"', b'"\\ud800"'), "msg_1", id="lone surrogate"),
        pytest.param(lambda row: row.replace(b"{", b'{"x":' + b"[" * 500 + b"]" * 500 + b",", 1), "msg_1", id="nested"),
    ],
)
def test_a_damaged_row_is_still_counted(claude_home, damage, key):
    claude_home.write(FILE, damage(line(claude(1))), claude(2))
    claude_home.read()
    assert sorted(claude_home.responses) == [key, "msg_2"]
    assert claude_home.refused == {}


@pytest.mark.parametrize(
    "garbage",
    [
        b'{"type":"assis{"type":"assistant","message":{"usage":{}}}\n',
        b'"usage" plain text\n',
        b'\0\0\0\xff"usage"\n',
        b'{"usage":' + b"[" * 100_000 + b"\n",
    ],
)
def test_garbage_is_counted_as_refused_and_costs_no_other_row(claude_home, garbage):
    claude_home.write(FILE, claude(1), garbage, claude(2))
    claude_home.read()
    assert sorted(claude_home.responses) == ["msg_1", "msg_2"]
    assert claude_home.refused == {"bad_json": 1}


def test_an_assistant_row_of_another_shape_is_refused(claude_home):
    claude_home.write(FILE, {"type": "assistant", "message": {"usage": {"output_tokens": "many"}}}, claude(2))
    claude_home.read()
    assert (list(claude_home.responses), claude_home.refused) == (["msg_2"], {"bad_row": 1})


def test_a_damaged_codex_row_is_still_counted(codex_home):
    used = {"input_tokens": 9, "output_tokens": 1}
    payload = {"response_id": "r1", "thread_id": THREAD, "usage": used, "note": "NOTE"}
    row = line({"type": "token_usage_record", "payload": payload}).replace(b'"NOTE"', b"NaN")
    codex_home.write(
        f"rollout-x-{THREAD}.jsonl", b"\0\0" + row, b'{"type":"event_msg","payload":{"type":"token_count", torn\n'
    )
    codex_home.read()
    assert list(codex_home.responses) == ["r1"]
    assert codex_home.refused == {"bad_json": 1}


def test_a_big_file_comes_in_small_batches_and_a_cursor_in_its_middle_is_not_its_end(claude_home, monkeypatch):
    monkeypatch.setattr(line_log, "BATCH_RESPONSES", 10)
    path = claude_home.write(FILE, *({**claude(n), "pad": "x" * 9000} for n in range(200)))
    batches = claude_home.read()
    assert len(batches) > 3
    assert all(batch.cursor.size == batch.cursor.offset for batch in batches)
    assert batches[-1].cursor.size == path.stat().st_size
    assert len(claude_home.responses) == sum(len(batch.parts[0].responses) for batch in batches) == 200


def codex_rows(steps):
    """A rollout: each step is (kind, tokens); totals run."""
    total, rows = 0, []
    for number, (kind, size) in enumerate(steps):
        total += size
        stamp = f"2026-11-10T10:{number // 60:02}:{number % 60:02}Z"
        used, running = {"input_tokens": size, "output_tokens": 1}, {"input_tokens": total, "output_tokens": number}
        info = {"total_token_usage": running, "last_token_usage": None if kind == "totals" else used}
        count = {"timestamp": stamp, "type": "event_msg", "payload": {"type": "token_count", "info": info}}
        payload = {"response_id": f"r{number}", "thread_id": THREAD, "usage": used, "thread_token_usage": running}
        if kind == "record":
            rows.append({"timestamp": stamp, "type": "token_usage_record", "payload": payload})
        rows += [count] * (2 if kind == "twice" else 1)
    return rows


CODEX_STEPS = st.lists(st.tuples(st.sampled_from(["plain", "twice", "record", "totals"]), st.integers(1, 500)))
CLAUDE_ROWS = st.lists(
    st.builds(claude, st.integers(0, 59), st.integers(0, 9), st.sampled_from(["msg_a", "msg_b", "gateway", None]))
)


def read_in_steps(source, folder, name, data, cuts):
    """The responses after the file has grown to each of the cuts, and then to its end."""
    with tempfile.TemporaryDirectory() as home:
        root = LogRoot(source, home, folder)
        path = Path(home, folder, name)
        path.parent.mkdir(parents=True)
        path.touch()
        merged, cursor, written = {}, None, 0
        for cut in [*sorted(cuts), len(data)]:
            with path.open("ab") as file:
                file.write(data[written:cut])
            written = max(written, cut)
            found = survey([root])
            for batch in SOURCES[source].read(found.files[0], cursor, found):
                assert not batch.restarted
                cursor = batch.cursor
                for response in batch.parts[0].responses:
                    known = merged.get(response.key)
                    merged[response.key] = best_of(known, response) if known else response
        return merged


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_growing_in_any_steps_gives_what_one_read_gives(data):
    if data.draw(st.booleans()):
        place, rows = ("claude_code", "projects", FILE), data.draw(CLAUDE_ROWS)
    else:
        place, rows = ("codex", "sessions", f"rollout-x-{THREAD}.jsonl"), codex_rows(data.draw(CODEX_STEPS))
    content = b"".join(map(line, rows))
    cuts = data.draw(st.lists(st.integers(0, len(content)), max_size=12))
    assert read_in_steps(*place, content, cuts) == read_in_steps(*place, content, [])


@given(steps=CODEX_STEPS)
@settings(max_examples=60, deadline=None)
def test_a_rollout_of_any_mixture_adds_up_to_its_running_total(steps):
    content = b"".join(map(line, codex_rows(steps)))
    merged = read_in_steps("codex", "sessions", f"rollout-x-{THREAD}.jsonl", content, [])
    assert sum(response.input_tokens for response in merged.values()) == sum(size for _, size in steps)
