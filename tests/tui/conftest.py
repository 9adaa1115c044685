"""A home with some state in it, and a console to look at it that has no engine behind."""

import asyncio
import hashlib
import threading
import time

import pytest

from state import approvals, events, logs, runs, sessions, skills, slots, usage
from state.database import open_writer
from state.home import Home

NOW_MS = (
    (time.time_ns() // 1_000_000) // 60_000 * 60_000
)  # on the minute: nothing changes in the next tenth of a second
CONFIG = """
timezone = "Europe/Berlin"
[agent.coder]
adapter = "command"
argv = ["true"]
skills = "review"
[budget.day]
window = "day"
tokens = 60000
[job.health-check]
every = "10m"
[job.weekly]
cron = "0 9 * * 1"
enabled = false
[skill_set.review]
skills = ["style", "gone"]
"""


RUN = {
    "agent": "coder", "adapter": "command", "lane": "isolated", "trigger": "spawn", "task_type": "subagent",
    "task": "do it", "workspace": "/w", "can_read": "[]", "can_write": "[]", "inject": "[]", "state": "waiting",
    "estimate_tokens": 210, "verdict": "{}", "request": "{}",
}  # fmt: skip


class World:
    """One temporary home, written the way the engine writes it."""

    now_ms = NOW_MS

    def __init__(self, folder):
        folder.mkdir(mode=0o700)
        self.home = Home(config=folder, state=folder)
        self.database = None

    def open(self):
        self.database = self.database or open_writer(self.home)
        return self.database

    def close(self):
        if self.database is not None:
            self.database.close()
            self.database = None

    def configure(self, text):
        self.home.config_file.write_text(text)

    def session(self, title, *, agent=None, at_ms=NOW_MS, model="haiku-4"):
        """An observed session, or one of ours when an agent is named. Returns its id and its generation's."""
        with self.open().transaction() as tx:
            if agent is None:
                generation = sessions.observe(
                    tx,
                    source="claude_code",
                    provider_home="/home/op/.claude",
                    provider_id=f"{title[:40]}-{at_ms}",
                    last_active_ms=at_ms,
                    started_ms=at_ms,
                    workspace="/home/op/work",
                    title=title,
                    model=model,
                )
                return sessions.generation(tx, generation).session_id, generation
            session = sessions.open_session(
                tx, agent=agent, lane="main", job=None, title=title, workspace="/home/op/work", at_ms=at_ms
            )
            generation = sessions.start_generation(
                tx,
                session,
                source="quarterdeck",
                provider_home="",
                provider_id=f"p{session}",
                model=model,
                workspace="/home/op/work",
                reason="first_run",
                note=None,
                at_ms=at_ms,
            )
            return session, generation

    def spend(self, generation, tokens, key="r1", at_ms=NOW_MS, **fields):
        self.book(generation, (0, 0, 0, tokens), key=key, at_ms=at_ms, **{"cost_microusd": tokens} | fields)

    def book(self, generation, parts, key="r1", at_ms=NOW_MS, source="claude_code", **fields):
        """One response: uncached input, cache read, cache write, output; without a price unless one is given."""
        names = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
        values = {
            "run_id": None,
            "model_id": None,
            "cache_write_5m_tokens": None,
            "cache_write_1h_tokens": None,
            "reasoning_tokens": None,
            "basis": 0,
            "confidence": 0,
        }
        values |= dict(zip(names, parts, strict=True)) | fields
        row = usage.UsageRow(
            source_id=usage.SOURCE_IDS[source], key=key, generation_id=generation, at_ms=at_ms, **values
        )
        with self.open().transaction() as tx:
            usage.book(tx, [row])

    def repeats(self, generation, owner, log, number, parts):
        """This log repeats responses of another conversation, which used these parts in all."""
        for place in range(number):
            self.book(owner, parts if place == 0 else (0, 0, 0, 0), key=f"copied{place}", at_ms=NOW_MS - 86_400_000)
        with self.open().transaction() as tx:
            tx.execute(
                "INSERT INTO copies SELECT ?, id, ? FROM usage WHERE key LIKE 'copied%' AND generation_id = ?",
                (generation, log, owner),
            )

    def sql(self, statement, *parameters):
        """What has no shorter way here; returns the new row's id."""
        with self.open().transaction() as tx:
            return tx.execute(statement, parameters).lastrowid

    def log(self, path="/logs/a.jsonl", gone_ms=None):
        """A log that was read; returns its id."""
        with self.open().transaction() as tx:
            log = logs.LogFile(0, "claude_code", path, 1, 2, 10, 20, 10, "h", "", 5, "{}", "{}", 1, gone_ms)
            return logs.advance(tx, log, {}, {}, False)

    def limit(self, name, used_percent, minutes, resets_ms, at_ms=NOW_MS, home="/home/op/.codex", plan="plus"):
        with self.open().transaction() as tx:
            logs.note_limit(tx, logs.RateLimit("codex", home, name, at_ms, used_percent, minutes, resets_ms, plan))

    def slot(self, job, state, due_ms):
        with self.open().transaction() as tx:
            slots.note(tx, slots.Slot(job, due_ms, state, None, None, due_ms))

    def mark(self, job):
        with self.open().transaction() as tx:
            slots.set_mark(tx, slots.Mark(job, "every 600", NOW_MS))

    def event(self, text, kind="note"):
        with self.open().transaction() as tx:
            events.add(tx, NOW_MS, kind, text)

    def notice(self, key, level, text):
        with self.open().transaction() as tx:
            events.raise_notice(tx, events.Notice(key, level, text, NOW_MS))

    def skill(self, name, problem=None):
        with self.open().transaction() as tx:
            skills.replace(tx, [skills.Skill(f"/s/{name[:20]}", name, "d", "user", 7, 70, "x", problem)])

    def skill_file(self, name, text, allowed=None):
        """A skill that is really there, and what was allowed of it."""
        path = self.home.config / name / "SKILL.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        with self.open().transaction() as tx:
            skills.replace(tx, [skills.Skill(str(path), name, "d", "user", 7, 70, sha256, None)])
            if allowed is not None:
                before = hashlib.sha256(allowed.encode()).hexdigest()
                skills.pin(tx, skills.Pin(name, str(path), before, allowed, NOW_MS))
        return path

    def run(self, **fields):
        """A run on record; returns its id."""
        with self.open().transaction() as tx:
            return runs.add(tx, RUN | {"requested_ms": NOW_MS} | fields)

    def question(self, run_id, what):
        """What the operator is asked about a run that waits; returns the approval's id."""
        with self.open().transaction() as tx:
            return approvals.ask(tx, run_id, what, NOW_MS, NOW_MS + 43_200_000)


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path / "home")
    yield made
    made.close()


@pytest.fixture
def filled(world):
    """A home with one of everything."""
    world.configure(CONFIG)
    _, generation = world.session("fix flaky test", agent="coder")
    world.spend(generation, 1200)
    world.session("vendor survey", at_ms=NOW_MS - 60_000)
    world.slot("health-check", "finished", NOW_MS)
    world.mark("health-check")
    world.skill("style")
    world.event("run 1 admitted")
    return world


async def until(pilot, true, what, patience_s=20.0):
    """Wait for a condition, not for a time."""
    deadline = time.monotonic() + patience_s
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"never: {what}\n{shown(pilot.app)}")
        await pilot.pause(0.02)


def shown(app):
    """What is on the screen, line by line, without colours."""
    width, height = app.size
    lines = app.screen._compositor.render_strips()
    return "\n".join(strip.text[:width] for strip in lines[:height])


@pytest.fixture
def drive():
    """Runs a scenario against a console: `drive(home, scenario, size)`; the feed is real, the engine is not there."""
    from tui.console.app import Console
    from tui.theme import DARK

    def run(home, scenario, size=(120, 34), can_order=True, theme=DARK):
        async def main():
            app = Console(home, theme)
            app.link.attach = lambda: None
            app.can_order = can_order
            async with app.run_test(size=size) as pilot:
                pilot.until = lambda true, what: until(pilot, true, what)
                pilot.sees = lambda *texts: until(
                    pilot, lambda: all(text in shown(app) for text in texts), f"on screen: {texts}"
                )
                pilot.shown = lambda: shown(app)
                await pilot.pause()
                await scenario(pilot)

        asyncio.run(main())
        listening = [thread for thread in threading.enumerate() if thread.name.startswith("run ")]
        for thread in listening:
            thread.join(timeout=10)
        assert not [thread for thread in listening if thread.is_alive()], "nobody listens to a run any more"

    return run
