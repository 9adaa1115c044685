"""200 runs at once, each with 10 lines a second: what does that cost the engine, and how long is its longest callback?

Callbacks are measured in the engine itself, in CPU time of its thread. Baseline in the same run: the engine idle."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from engine.contract.orders import RunRequest
from engine.runtime.client import Client
from state import runs
from state.database import open_reader
from state.home import Home

LIVE = 200
LINES_PER_S = 10
MEASURED_S = 20
CLAUDE = f"""#!{sys.executable} -IS
import json, time
def say(**row):
    print(json.dumps(row | dict(session_id="11111111-2222-4333-8444-555555555555", uuid="0" * 36)), flush=True)
say(type="system", subtype="init", cwd="/", model="claude-sonnet-5-5", tools=[], claude_code_version="2.1.329")
delta = dict(type="content_block_delta", index=0, delta=dict(type="text_delta", text="one more word of it "))
for number in range({LINES_PER_S} * 600):
    say(type="stream_event", event=delta, parent_tool_use_id=None)
    time.sleep({1 / LINES_PER_S})
"""
"""Speaks as Claude Code does while it streams an answer."""
CONFIG = """
[engine]
max_runs = {most}
[limits]
run_tokens = 1000000
[adapter.claude_code]
program = "{program}"
"""
MEASURE = """
import asyncio, json, signal, sys, time
from asyncio import events
run, longest = events.Handle._run, [0.0, ""]
def measured(self):
    before = time.thread_time()
    run(self)
    took = time.thread_time() - before
    if took > longest[0]:
        longest[:] = [took, repr(self)[:200]]
events.Handle._run = measured
def tell(*_):
    with open(sys.argv[1], "w") as file:
        json.dump(longest, file)
    longest[:] = [0.0, ""]
signal.signal(signal.SIGUSR2, tell)
from tui.cli.main import main
sys.exit(main(["engine"]))
"""


def test_many_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    home = Home(config=tmp_path / ".config" / "quarterdeck", state=tmp_path / ".local" / "state" / "quarterdeck")
    home.config.mkdir(parents=True)
    program = tmp_path / "claude"
    program.write_text(CLAUDE)
    program.chmod(0o755)
    home.config_file.write_text(CONFIG.format(most=2 * LIVE, program=program))
    (tmp_path / "work").mkdir()
    told = tmp_path / "longest.json"
    engine = subprocess.Popen([sys.executable, "-c", MEASURE, str(told)], stdin=subprocess.DEVNULL)
    client = Client(home)
    try:
        while (held := client.holder()) is None or not held.ready:
            assert engine.poll() is None
            time.sleep(0.05)
        idle = share(engine.pid, 5)
        longest(engine.pid, told)
        request = RunRequest(
            workspace=str(tmp_path / "work"),
            agent="claude_code",
            task="say a word",
            task_type="subagent",
        )
        begun = time.monotonic()
        for _ in range(LIVE):
            client.order("run", request, 120)
        with contextlib.closing(open_reader(home)) as reader:
            while sum(run.state == "running" for run in runs.live(reader)) < LIVE:
                time.sleep(0.2)
        spawned_s = time.monotonic() - begun
        starting, where = longest(engine.pid, told)
        busy = share(engine.pid, MEASURED_S)
        running, what = longest(engine.pid, told)
        print()
        print(f"{LIVE} runs started in {spawned_s:.1f} s; longest callback {starting * 1000:.0f} ms CPU")
        print(f"  it was {where}")
        print(f"{LIVE} x {LINES_PER_S} lines/s: {busy:.1%} of a core, idle {idle:.2%}; {rss(engine.pid):.0f} MB")
        print(f"longest callback {running * 1000:.0f} ms CPU: {what}")
    finally:
        end(home, engine)


def share(pid, seconds):
    """CPU of a process and of its children that have ended, as a share of one core."""
    before, begun = cpu_s(pid), time.monotonic()
    time.sleep(seconds)
    return (cpu_s(pid) - before) / (time.monotonic() - begun)


def cpu_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def rss(pid):
    """MB of the engine and of its log reader, without the keepers."""
    listed = ["ps", "-ww", "-o", "rss=,args=", "--ppid", str(pid), "-p", str(pid)]
    lines = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.splitlines()
    return sum(int(line.split()[0]) for line in lines if "keep.py" not in line) / 1024


def longest(pid, told):
    told.unlink(missing_ok=True)
    os.kill(pid, signal.SIGUSR2)
    while not told.exists() or not told.read_text().endswith("]"):
        time.sleep(0.05)
    return json.loads(told.read_text())


def end(home, engine):
    for keeper in home.runs.glob("*/keeper.json"):
        with contextlib.suppress(ProcessLookupError, ValueError):
            if not keeper.with_name("end.json").exists():
                os.kill(json.loads(keeper.read_text())["pid"], signal.SIGTERM)
    engine.terminate()
    engine.wait(60)
