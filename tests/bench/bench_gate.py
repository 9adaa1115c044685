"""How long does a verdict take, and an admission, with 200 live runs and a 30 KB inject list? In the engine's process.

Beside a named baseline in the same run: counting the tokens of the same 30 KB once, and one durable commit.
"""

import asyncio
import os
import statistics
import time

import pytest

from engine.contract.clock import SystemClock
from engine.contract.orders import RunRequest
from engine.runtime.gate import Gate
from engine.runtime.settings import Settings
from engine.tokens.count import count_tokens
from state import claims, runs, usage
from state.database import open_writer
from state.home import Home

LIVE = 200
ROUNDS = 200
DAY_MS = 86_400_000
CONFIG = """
[engine]
max_runs = 1000
[limits]
injected_tokens = 20000
[agent.maker]
adapter = "command"
argv = ["true"]
model = "small"
instructions = "AGENTS.md"
[task_type.subagent]
injected_tokens = 20000
[budget.hour]
window = "hour"
tokens = 100000000
[budget.day]
window = "day"
tokens = 100000000
usd = 500
[budget.month]
window = "month"
tokens = 1000000000
[budget.block]
window = "5h"
tokens = 100000000
source = "claude_code"
[budget.maker]
window = "week"
tokens = 1000000000
agent = "maker"
[prices."small"]
input = 1.0
output = 2.0
"""


class Bench:
    """A home with a month behind it, 200 live runs with claims, and a workspace."""

    def __init__(self, folder):
        self.home = Home(config=folder / "config", state=folder / "state")
        self.home.config.mkdir()
        self.home.config_file.write_text(CONFIG)
        self.workspace = folder / "work"
        self.workspace.mkdir()
        os.environ["HOME"] = str(folder)
        self.clock = SystemClock()
        self.database = open_writer(self.home)
        self.settings = Settings(self.home)
        self.settings.poll()
        self.gate = Gate(self.home, self.database, self.settings, self.clock)
        self.text = "A line of plain English that says what this module is for and what it leaves to others.\n" * 350
        (self.workspace / "AGENTS.md").write_text("# Rules\n" + self.text[:8_000])
        for number in range(3):
            (self.workspace / f"notes-{number}.md").write_text(f"# {number}\n" + self.text[: 7_500 - number])
        self.inject = tuple(f"notes-{number}.md" for number in range(3))

    def request(self, task="look", scope="out/x.md"):
        return RunRequest(
            workspace=str(self.workspace),
            agent="maker",
            task=task,
            inject=self.inject,
            can_write=(scope,),
            trigger="spawn",
        )

    async def fill(self):
        """200 live runs, each with a claim, and a month of settled ones with their usage."""
        now_ms = self.clock.now_ms()
        with self.database.transaction() as tx:
            for number in range(2_000):
                at_ms = now_ms - number * DAY_MS // 70
                values = {"agent": "maker", "adapter": "command", "model": "small", "lane": "isolated"}
                values |= {"trigger": "spawn", "task_type": "subagent", "task": "t", "workspace": str(self.workspace)}
                values |= {"can_read": "[]", "can_write": "[]", "inject": "[]", "state": "settled", "verdict": "{}"}
                values |= {"outcome": "succeeded", "estimate_tokens": 9_000, "likely_tokens": 9_000}
                runs.add(tx, values | {"requested_ms": at_ms, "admitted_ms": at_ms, "started_ms": at_ms})
        for number in range(LIVE):
            admitted = await self.gate.ask(self.request(f"task {number}", f"area-{number}/**/*.py"))
            assert admitted.verdict.ok, admitted.verdict.failed

    async def timed(self, work):
        times = []
        for number in range(ROUNDS):
            start = time.perf_counter()
            await work(number)
            times.append((time.perf_counter() - start) * 1000)
        return sorted(times)


def told(name, times, baseline):
    median, p99 = statistics.median(times), times[int(len(times) * 0.99)]
    print(f"{name:<52} median {median:7.2f} ms   p99 {p99:7.2f} ms   {median / baseline:6.2f} x baseline")


def commits(bench):
    """The baseline of an admission: one durable commit of one row."""
    times = []
    for number in range(100):
        start = time.perf_counter()
        with bench.database.transaction() as tx:
            tx.execute("INSERT INTO events VALUES (NULL, ?, 'bench', '', NULL, NULL, NULL)", (number,))
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_verdicts_and_admissions(bench):
    text = "".join((bench.workspace / name).read_text() for name in (*bench.inject, "AGENTS.md"))
    count_tokens("warm")
    start = time.perf_counter()
    tokens = count_tokens(text).tokens
    counting = (time.perf_counter() - start) * 1000
    print(f"\nbaseline: {len(text.encode()) / 1024:.1f} KB counted once: {counting:.2f} ms, {tokens:,} tokens")
    asyncio.run(_measure(bench, counting))


async def _measure(bench, counting):
    await bench.fill()
    assert len(runs.live(bench.database.connection)) == LIVE
    assert len(claims.live(bench.database.connection)) == LIVE

    async def type_a_letter(number):
        verdict, receipt = await bench.gate.preview(bench.request("look at it " + "x" * number))
        assert verdict.ok, verdict.failed
        assert receipt.tokens > 6_000

    async def edit_a_file(number):
        (bench.workspace / "notes-0.md").write_text(f"# {number}\n" + bench.text[:7_500])
        verdict, _ = await bench.gate.preview(bench.request())
        assert verdict.ok

    async def admit(number):
        admitted = await bench.gate.ask(bench.request("x", f"more-{number}/**"))
        assert admitted.verdict.ok, admitted.verdict.failed

    told(f"a verdict, one more letter typed, {LIVE} live runs", await bench.timed(type_a_letter), counting)
    told("a verdict after an injected file was edited", await bench.timed(edit_a_file), counting)
    commit = commits(bench)
    print(f"baseline: a durable commit of one row: {commit:.2f} ms")
    told("an admission, reserved, claimed and recorded", await bench.timed(admit), commit)
    admissions = []

    async def admit_during_a_scan(number):
        _book(bench, number)
        start = time.perf_counter()
        admitted = await bench.gate.ask(bench.request("x", f"again-{number}/**"))
        admissions.append((time.perf_counter() - start) * 1000)
        assert admitted.verdict.ok, admitted.verdict.failed

    await bench.timed(admit_during_a_scan)
    told("the same between batches of a bulk scan", sorted(admissions), commit)


def _book(bench, number):
    """A batch of 250 observed responses, as the scan books them."""
    from state import sessions

    with bench.database.transaction(durable=False) as tx:
        generation_id = sessions.observe(
            tx,
            source="claude_code",
            provider_home="/h",
            provider_id=f"p{number % 20}",
            started_ms=None,
            last_active_ms=bench.clock.now_ms(),
            workspace="/elsewhere",
            title=None,
            model="m",
        )
        rows = [_row(generation_id, number, place, bench.clock.now_ms()) for place in range(250)]
        usage.book(tx, rows, usage.Memory())


def _row(generation_id, number, place, now_ms):
    return usage.UsageRow(
        source_id=usage.SOURCE_IDS["claude_code"],
        key=f"{number}-{place}",
        generation_id=generation_id,
        run_id=None,
        at_ms=now_ms - place * 1000,
        model_id=None,
        input_tokens=10,
        cache_read_tokens=100,
        cache_write_tokens=5,
        cache_write_5m_tokens=None,
        cache_write_1h_tokens=None,
        output_tokens=7,
        reasoning_tokens=None,
        basis=0,
        confidence=0,
    )
