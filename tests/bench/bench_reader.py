"""How many megabytes of logs does the reader take per CPU second, beside plain reading and the usual naive way?

The corpus is generated: rows with usage are about a sixth of the bytes, in files of a few hundred kilobytes.
"""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from engine.contract.usage import Discovered, LogBatch, LogRoot, ReaderMessage, ReaderSetup

CORPUS_MB = 100
FILES = 250
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A Claude Code home of `CORPUS_MB`."""
    home = tmp_path_factory.mktemp("claude")
    chance = random.Random(7)
    words = [f"word{n} " for n in range(500)]
    for number in range(FILES):
        path = home / "projects" / f"-home-dev-p{number % 25}" / f"5d000000-0000-4000-8000-{number:012}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(_session(number, chance, words)))
    return home


def _session(number, chance, words):
    size, turn = 0, 0
    while size < CORPUS_MB * 1_000_000 // FILES:
        turn += 1
        for row in _turn(number, turn, chance, words):
            text = json.dumps(row, separators=(",", ":")).encode() + b"\n"
            size += len(text)
            yield text


def _turn(number, turn, chance, words):
    def text(low, high):
        return "".join(chance.choices(words, k=chance.randint(low, high)))

    common = {"sessionId": f"s{number}", "cwd": f"/home/dev/p{number % 25}", "version": "2.1.329", "isSidechain": False}
    common |= {"timestamp": f"2026-11-10T10:{turn // 60 % 60:02}:{turn % 60:02}.250Z", "gitBranch": "main"}
    yield {"type": "user", **common, "message": {"role": "user", "content": text(10, 400)}}
    for block in range(2):
        lifetimes = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 2100}
        usage = {"input_tokens": 4, "cache_creation_input_tokens": 2100, "cache_read_input_tokens": 51200}
        usage |= {"cache_creation": lifetimes, "output_tokens": 10 + block, "service_tier": "standard"}
        message = {"id": f"msg_{number}_{turn}", "role": "assistant", "model": "claude-sonnet-4-5"}
        message |= {"stop_reason": "end_turn", "content": [{"type": "text", "text": text(5, 60)}], "usage": usage}
        yield {"type": "assistant", "uuid": f"u{turn}{block}", **common, "requestId": "req_1", "message": message}
    yield {"type": "user", **common, "message": {"content": [{"type": "tool_result", "content": text(100, 900)}]}}
    yield {"type": "file-history-snapshot", **common, "snapshot": {"files": text(50, 600)}}


def _reader(home):
    """Output tokens, CPU seconds, and wall seconds until `discovered` of the real process."""
    setup = msgspec.json.encode(ReaderSetup((LogRoot("claude_code", str(home), "projects"),), follow=False)) + b"\n"
    before, started, discovered_s = os.times(), time.perf_counter(), 0.0
    best = {}
    command = [sys.executable, "-m", "engine.telemetry.reader"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        process.stdin.write(setup)
        process.stdin.close()
        lines = [process.stdout.readline()]
        discovered_s = time.perf_counter() - started
        lines += process.stdout.readlines()
        assert process.wait() == 0
    after = os.times()
    messages = [msgspec.json.decode(line, type=ReaderMessage) for line in lines]
    assert isinstance(messages[0], Discovered)
    for batch in messages:
        if isinstance(batch, LogBatch):
            for response in batch.responses:
                best[response.key] = max(best.get(response.key, 0), response.output_tokens)
    cpu_s = (after.children_user - before.children_user) + (after.children_system - before.children_system)
    return sum(best.values()), cpu_s, discovered_s


def _read_every_file(home):
    started = time.process_time()
    size = sum(len(path.read_bytes()) for path in home.rglob("*.jsonl"))
    return size, time.process_time() - started


def _needle_then_json(home):
    best, started = {}, time.process_time()
    for path in home.rglob("*.jsonl"):
        with path.open("rb") as file:
            for line in file:
                if b'"usage"' in line:
                    message = json.loads(line)["message"]
                    best[message["id"]] = max(best.get(message["id"], 0), message["usage"]["output_tokens"])
    return sum(best.values()), time.process_time() - started


def test_reader_throughput(corpus, tmp_path):
    start_s = min(_reader(tmp_path)[1] for _ in range(3))
    size, read_s = _read_every_file(corpus)
    read_s = min(read_s, _read_every_file(corpus)[1])
    naive_total, naive_s = _needle_then_json(corpus)
    total, reader_s, discovered_s = min((_reader(corpus) for _ in range(3)), key=lambda run: run[1])
    megabytes = size / 1e6
    print(f"\ncorpus {megabytes:.0f} MB in {FILES} files; MB per CPU second:")
    print(f"  read every file         {megabytes / read_s:7.0f}")
    print(f"  '\"usage\"' in line, json {megabytes / naive_s:7.0f}")
    print(f"  the reader              {megabytes / (reader_s - start_s):7.0f}   beyond its start-up of {start_s:.2f} s")
    print(f"  ... with its start-up   {megabytes / reader_s:7.0f}")
    print(f"  discovered after {discovered_s * 1000:.0f} ms")
    assert total == naive_total
