"""From an order to its readable result, for `true` inside a running engine, step by step; beside bare asyncio.

Steps by what is on record: the order is written, the run admitted, its keeper started, its child ended, the run settled
and seen settled by whoever asked."""

import asyncio
import json
import os
import statistics
import time

import msgspec

from engine.contract.orders import RunRequest
from engine.contract.outcome import EndRecord
from engine.runtime.client import Attachment, Client
from state import runs
from state.database import open_reader
from state.home import Home

ROUNDS = 60


def test_overhead(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "quarterdeck.toml").write_text('[budget.day]\nwindow = "day"\ntokens = 100000000\n')
    (tmp_path / "work").mkdir()
    home = Home(config=tmp_path / "config", state=tmp_path / "state")
    client = Client(home)
    client.ensure()
    request = RunRequest(workspace=str(tmp_path / "work"), agent="command", argv=("true",), task_type="subagent")
    with Attachment(home):
        steps = [one_run(home, client, request) for _ in range(ROUNDS)][5:]
        bare = [asyncio.run(bare_asyncio()) for _ in range(ROUNDS)]
        client.order("shutdown", {})
    print()
    for name in steps[0]:
        values = sorted(one[name] for one in steps)
        print(f"{name:34} median {statistics.median(values):6.1f} ms   p90 {values[int(len(values) * 0.9)]:6.1f}")
    whole = statistics.median(one["order to readable result"] for one in steps)
    base = statistics.median(bare)
    print(f"{'bare asyncio, start to exit':34} median {base:6.1f} ms   ratio {whole / base:.1f}")


def one_run(home, client, request):
    asked = time.time_ns() / 1e6
    run_id = json.loads(client.order("run", request))["run"]
    answered = time.time_ns() / 1e6
    reader = open_reader(home)
    while (run := runs.get(reader, run_id)).open:
        os.sched_yield()
    readable = time.time_ns() / 1e6
    reader.close()
    end = msgspec.json.decode((home.run_folder(run_id) / "end.json").read_bytes(), type=EndRecord)
    assert run.outcome == "succeeded", run.why
    return {
        "order to readable result": readable - asked,
        "  order to admitted (composing)": run.admitted_ms - asked,
        "  admitted to keeper handed over": run.started_ms - run.admitted_ms,
        "  order to answer": answered - asked,
        "  child, in its keeper": end.duration_s * 1000,
        "  keeper's end to settled": run.ended_ms - end.ended_ms,
        "  settled to readable": readable - run.ended_ms,
    }


async def bare_asyncio():
    begun = time.perf_counter()
    child = await asyncio.create_subprocess_exec("true")
    await child.wait()
    return (time.perf_counter() - begun) * 1000
