"""Rollouts packed with zstd: whole, torn, damaged, and read in steps of bounded size."""

import json
import os
import tracemalloc

import pytest
import zstandard

from engine.telemetry import line_log, lines

THREAD = "01a1fb94-9990-7dc2-aaa2-018b37779d51"
FILE = f"2026/11/21/rollout-2026-11-21T00-49-42-{THREAD}.jsonl.zst"


def line(n, pad=0):
    usage = {"input_tokens": 9, "output_tokens": 1}
    noise = os.urandom(pad // 2).hex()
    payload = {"thread_id": THREAD, "response_id": f"r{n}", "usage": usage, "noise": noise}
    return json.dumps({"type": "token_usage_record", "payload": payload}).encode() + b"\n"


def test_a_packed_rollout_belongs_to_its_thread(codex_home):
    text = line(1) + line(2)
    codex_home.write(FILE, zstandard.compress(text))
    (batch,) = codex_home.read()
    assert list(codex_home.sessions) == [THREAD]
    assert [response.offset for response in codex_home.responses.values()] == [0, len(line(1))]
    assert (batch.cursor.offset, batch.lines) == (len(text), 2)


def test_an_unchanged_packed_file_is_not_read_again_and_a_changed_one_from_its_start(codex_home, monkeypatch):
    path = codex_home.write(FILE, zstandard.compress(line(1)))
    (batch,) = codex_home.read()
    assert (batch.cursor.size, batch.cursor.mtime_ns) == (path.stat().st_size, path.stat().st_mtime_ns)
    with monkeypatch.context() as patch:
        patch.setattr(zstandard, "ZstdDecompressor", None)
        assert codex_home.read() == []
    codex_home.write(FILE, zstandard.compress(line(1) + line(2)))
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    (batch,) = codex_home.read()
    assert (batch.restarted, sorted(codex_home.responses)) == (True, ["r1", "r2"])


@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: data[:-2000] + b"x" * 2000])
def test_what_comes_before_the_damage_is_read_and_the_damage_counted_once(codex_home, damage):
    whole = zstandard.compress(line(1)) + zstandard.compress(line(2))
    broken = zstandard.compress(b"".join(line(n, 9000) for n in range(3, 90)))
    codex_home.write(FILE, whole + damage(broken))
    codex_home.read()
    assert {"r1", "r2"} <= set(codex_home.responses)
    assert len(codex_home.responses) < 89
    assert codex_home.refused == {"bad_zst": 1}
    assert codex_home.read() == []


@pytest.mark.parametrize("data", [b"not packed at all\n", b"\x28\xb5\x2f\xfd"])
def test_what_is_not_packed_is_counted(codex_home, data):
    codex_home.write(FILE, data)
    codex_home.read()
    assert codex_home.refused == {"bad_zst": 1}


def test_an_empty_file_is_not_damaged(codex_home):
    codex_home.write(FILE, b"")
    assert codex_home.read() == []


def test_a_reader_that_was_stopped_goes_on_in_the_middle_of_the_text(codex_home, monkeypatch):
    monkeypatch.setattr(line_log, "BATCH_RESPONSES", 5)
    monkeypatch.setattr(lines, "BLOCK_BYTES", 2000)
    path = codex_home.write(FILE, *(zstandard.compress(line(n, 300)) for n in range(60)))
    batches = codex_home.read()
    assert len(batches) > 3
    assert all(batch.cursor.size == 0 for batch in batches[:-1])
    assert batches[-1].cursor.size == path.stat().st_size
    codex_home.cursors[str(path)] = batches[2].cursor
    again = codex_home.read()
    assert not any(batch.restarted for batch in again)
    assert [batch.cursor for batch in again] == [batch.cursor for batch in batches[3:]]
    assert len(codex_home.responses) == 60


def test_a_row_of_50_mb_survives_and_a_longer_one_costs_bounded_memory(codex_home):
    def row(size):
        return b'{"type":"response_item","payload":"' + b"x" * size + b'"}\n'

    text = [line(1), row(50_000_000), line(2), row(lines.LONGEST_LINE + 9_000_000), line(3)]
    codex_home.write(FILE, *map(zstandard.compress, text))
    del text
    tracemalloc.start()
    codex_home.read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sorted(codex_home.responses) == ["r1", "r2", "r3"]
    assert codex_home.refused == {"too_long": 1}
    assert peak < 3 * lines.LONGEST_LINE
