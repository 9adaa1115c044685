"""A home in which everything is named and said by somebody who means harm, and a console to look at it.

No engine has a say in it: where one would look for the programs of live runs, the test holds its lock.
"""

import contextlib
import hashlib
import json
import os
import re
import time
from pathlib import Path

import msgspec

from engine.contract.verdict import CacheBreak, Check, ReceiptPart
from engine.runtime.lease import Lease
from engine.runtime.questions import Permission, Question, Raise
from engine.runtime.undoing import EditUndo, kept
from engine.scopes.violations import Changes, Unattributed
from state import approvals, events, journal, receipts, runs, seen, sessions, skills, slots, usage
from state.database import open_writer
from state.home import Home, prepare
from tests.e2e.pty import Pty
from tests.hostile import HOSTILE, marks, stored

EVERY = frozenset(f"h{number:03}" for number in range(100))
TEXTS = tuple(map(stored, HOSTILE))
ALL = "\n".join(text[:500].replace("\n", " ") for text in TEXTS)
"""Each on a line of its own; the longest are whole elsewhere."""
SIZES = ((120, 34), (60, 20))
HOUR_MS = 3_600_000
TURNS_AFTER_S = 1.0
DOWN, UP, NEXT_PAGE, PAGE_BEFORE = "\x1b[B", "\x1b[A", "\x1b[6~", "\x1b[5~"
PLAIN = "quiet"
"""A name that is harmless, of what is harmful in all else: a job, a budget and a skill."""
RUN = {
    "adapter": "command", "lane": "isolated", "trigger": "spawn", "task_type": "subagent", "state": "settled",
    "estimate_tokens": 210, "request": "{}", "can_read": "[]", "inject": "[]",
}  # fmt: skip
CHANGES = msgspec.json.encode(
    Changes(
        checked=True, why=TEXTS[6], changed=200, violations=TEXTS, violations_total=100, unattributed_total=100,
        unattributed=tuple(Unattributed(text, text) for text in TEXTS), beside=TEXTS,
    )
).decode()  # fmt: skip


def toml(text):
    """A basic string of TOML."""
    return '"' + "".join(c if c.isalnum() or c in " -_" else f"\\U{ord(c):08x}" for c in stored(text)) + '"'


def declared(alerts="bell = false\ntitle = false\n"):
    """Names of everything, and what jobs are to do."""
    said = [f"[alerts]\n{alerts}", f'[budget.{PLAIN}]\nwindow = "day"\ntokens = 9000000\n']
    files = ", ".join(toml(text[:60]) for text in TEXTS[:9])
    said += [f'[job.{PLAIN}]\nevery = "9h"\nagent = {toml(TEXTS[7])}\ntask = {toml(ALL[:300])}\ninject = [{files}]\n']
    for text in TEXTS:
        name = toml(text[:300])
        said += [f'[agent.{name}]\nadapter = "digest"\nskills = {name}\n', f"[skill_set.{name}]\nskills = [{name}]\n"]
        said += [f'[budget.{name}]\nwindow = "day"\ntokens = 60000\n']
        said += [f'[job.{name}]\nevery = "9h"\nenabled = false\nagent = {name}\ntask = {name}\n']
    return "".join(said)


class Full:
    """All of it. `first`: the text that comes first where not all are read out; `alerts`: that section."""

    def __init__(self, desk, first=0, alerts="bell = false\ntitle = false\n"):
        self.desk = desk
        desk.configure(declared(alerts))
        self.home = Home(config=desk.config_file.parent, state=desk.state)
        prepare(self.home)
        self.now_ms = time.time_ns() // 1_000_000
        self._database = open_writer(self.home)
        with self._database.transaction() as tx:
            self._conversation(tx)
            for number, text in enumerate((*TEXTS[first:], *TEXTS[:first])):
                self._one(tx, number, text)
            self._skills(tx)
            self._last(tx)
            self._asking(tx)
            for text in TEXTS[21:30]:
                journal.add(tx, self.now_ms, "delete job", text, kept(EditUndo(None, "0" * 64)), text)
        self._outputs()
        seen.write(self.home, seen.Seen(self.now_ms - 3 * HOUR_MS, 0))

    def close(self):
        self._database.close()

    @contextlib.contextmanager
    def held(self):
        """Nobody can be the engine meanwhile; consoles take us for it."""
        lease = Lease(self.home, self.now_ms)
        try:
            lease.ready()
            yield
        finally:
            lease.release()

    def happen(self, act):
        """Something more, while consoles look on."""
        with self._database.transaction() as tx:
            return act(tx)

    def fail(self, tx, name):
        """A run of a job of this name that fails now."""
        said = {"agent": name, "job": name, "task": name, "workspace": "/w", "can_write": "[]", "verdict": "{}"}
        return runs.add(tx, RUN | said | {"outcome": "failed", "requested_ms": self.now_ms, "ended_ms": self.now_ms})

    def _skills(self, tx):
        """Files as they could lie there, and what was once allowed of the one whose page is looked at."""
        folder = os.fsencode(self.desk.home / ".claude" / "skills")
        found = []
        for number, text in enumerate(TEXTS):
            flat = " ".join(text.split())
            place = folder + b"/s%03d" % number + (b"\xff\x1b[2J" if number % 2 else b"\x1b[2J")
            path = Path(os.fsdecode(place), "SKILL.md")
            path.parent.mkdir(parents=True)
            path.write_text(f"---\nname: {json.dumps(flat[:60])}\ndescription: {json.dumps(flat)}\n---\n{text}\n")
            found.append(skills.Skill(stored(str(path)), text[:60], text, "user", 7, 70, f"{number:064}", text))
        quiet = Path(os.fsdecode(folder), PLAIN, "SKILL.md")
        quiet.parent.mkdir()
        quiet.write_text(f"---\nname: {PLAIN}\ndescription: d\n---\n{ALL}\n")
        now = hashlib.sha256(quiet.read_bytes()).hexdigest()
        found.append(skills.Skill(str(quiet), PLAIN, ALL, "user", 7, 70, now, None))
        skills.replace(tx, found)
        before = f"---\nname: {PLAIN}\ndescription: d\n---\nonce {ALL}\n"
        old = hashlib.sha256(before.encode()).hexdigest()
        skills.pin(tx, skills.Pin(PLAIN, str(quiet), old, before, self.now_ms))

    def _conversation(self, tx):
        """One of ours, that all these runs are of, and one with a run that is live and asks."""
        self.session, self.generation = self._ours(tx, TEXTS[1], "p")
        self.live_session, self.live_generation = self._ours(tx, TEXTS[26], "q")

    def _ours(self, tx, title, provider_id):
        session = sessions.open_session(
            tx, agent=TEXTS[0], lane="main", job=None, title=title, workspace=TEXTS[2], at_ms=self.now_ms
        )
        return session, sessions.start_generation(
            tx, session, source="quarterdeck", provider_home="", provider_id=provider_id, model=TEXTS[3],
            workspace=TEXTS[4], reason="first_run", note=TEXTS[5], at_ms=self.now_ms,
        )  # fmt: skip

    def _one(self, tx, number, text):
        """A session that was seen and what it used, a run of ours, a due time of a job, an event."""
        now_ms = self.now_ms - number
        generation = sessions.observe(
            tx, source="claude_code", provider_home="/home/op/.claude", provider_id=str(number), last_active_ms=now_ms,
            started_ms=now_ms, title=text, model=text, workspace=f"/w/{text}",
        )  # fmt: skip
        said = {"agent": text, "job": text, "task": text, "why": text, "summary": text, "model": text, "lane": text}
        self.last = runs.add(tx, RUN | said | {
            "workspace": f"/w/{text}", "inject": json.dumps(TEXTS), "can_write": json.dumps(TEXTS), "outcome": "failed",
            "requested_ms": now_ms, "started_ms": now_ms, "ended_ms": now_ms, "session_id": self.session,
            "generation_id": self.generation, "changes": CHANGES, "reuse_reason": text, "trigger": text,
            "verdict": _verdict(text), "raw_usage": json.dumps({text[:30]: text[:30]}), "adapter": "claude_code",
        })  # fmt: skip
        model = tx.execute("INSERT INTO models (name, provider) VALUES (?, ?)", (text, text)).lastrowid
        usage.book(tx, [
            usage.UsageRow(
                source_id=usage.SOURCE_IDS["claude_code"], key=f"{number} {where}", generation_id=where, run_id=run,
                at_ms=now_ms, model_id=model, input_tokens=9, cache_read_tokens=0, cache_write_tokens=0,
                cache_write_5m_tokens=None, cache_write_1h_tokens=None, output_tokens=200 - number,
                reasoning_tokens=None, basis=0, confidence=0, factors=text,
            )
            for where, run in ((self.generation, self.last), (generation, None))
        ])  # fmt: skip
        slots.note(tx, slots.Slot(PLAIN, now_ms - number * 60_000, "missed", None, text, now_ms))
        events.add(tx, now_ms, "failed", text, run_id=self.last, job=text)
        events.raise_notice(tx, events.Notice(text[:40], "info", text, now_ms))

    def _last(self, tx):
        """What the last run's prompt was made of, and what is known of its cache."""
        parts = [ReceiptPart(text, text, 7, 7, text, True) for text in TEXTS]
        broken = msgspec.json.encode(CacheBreak(TEXTS[31], "changed", 7, 7)).decode()
        decided = json.dumps({text[:30]: "job" for text in TEXTS})
        said = msgspec.json.encode(parts).decode()
        receipts.store(tx, receipts.Receipt(self.last, said, 700, 7000, decided, broken, 900))

    def _asking(self, tx):
        """A live run that wants to do a hundred things, and one that would go over a budget."""
        fields = {
            "workspace": TEXTS[30],
            "can_write": json.dumps(TEXTS),
            "requested_ms": self.now_ms,
            "agent": TEXTS[0],
        }
        fields |= {"task": ALL, "model": TEXTS[8], "verdict": _verdict(TEXTS[9])}
        where = {"session_id": self.live_session, "generation_id": self.live_generation, "adapter": "claude_code"}
        live = {"state": "running", "started_ms": self.now_ms, "route": None}
        self.live = runs.add(tx, RUN | fields | where | live)
        for number, text in enumerate(TEXTS):
            what = ALL if number == 0 else text
            path = f"/w/{text}"
            asked = Permission(self.live, text, self.live_session, text, text, text, what, path)
            self._ask(tx, self.live, asked, str(number))
        waits = {"state": "waiting", "waits_for": "approval", "expires_ms": self.now_ms + 9 * HOUR_MS}
        self.waiting = runs.add(tx, RUN | fields | waits)
        grant = Raise(TEXTS[25], "tokens", "day", self.now_ms, self.now_ms + HOUR_MS, 100, 90, 20, 10)
        self._ask(tx, self.waiting, Question(
            run_id=self.waiting, agent=TEXTS[10], task_type=TEXTS[11], task=ALL, workspace=TEXTS[12], argv=TEXTS[:20],
            model=TEXTS[13], tools=TEXTS[20:40], inject=TEXTS[40:60], skills=TEXTS[14], can_write=TEXTS[60:80],
            trigger=TEXTS[15], job=TEXTS[16], resumes_run_id=None, likely_tokens=1, high_tokens=2, high_microusd=3,
            raises=(grant,),
        ))  # fmt: skip

    def _ask(self, tx, run, asked, request_id=None):
        what = msgspec.json.encode(asked).decode()
        approvals.ask(tx, run, what, self.now_ms, self.now_ms + 9 * HOUR_MS, request_id)

    def _outputs(self):
        """What the last run has said and used, and what the live one says."""
        lines = [text.encode("utf-8", "surrogatepass") + b" \xff\xfe\x9b\n" for text in HOSTILE]
        used = "".join(_tool(number, text) for number, text in enumerate(TEXTS))
        for run in (self.last, self.live):
            folder = self.home.run_folder(run)
            folder.mkdir(parents=True)
            (folder / "stderr.log").write_bytes(b"".join(lines))
            (folder / "stdout.log").write_text(used + "".join(map(_said, TEXTS)))
        (self.home.run_folder(self.last) / "result.txt").write_bytes(b"".join(lines))


def _verdict(text):
    checks = [Check("scope", False, text, text, text), Check("cost", True, text, text, text)]
    return msgspec.json.encode({"ok": False, "checks": checks}).decode()


def _tool(number, text):
    content = [{"type": "tool_use", "id": str(number), "name": text, "input": {"command": text}}]
    message = {"id": f"m{number}", "role": "assistant", "model": text, "content": content}
    return json.dumps({"type": "assistant", "message": message}) + "\n"


def _said(text):
    message = {"id": text[:4], "role": "assistant", "model": text, "content": [{"type": "text", "text": f"{text}\n"}]}
    return json.dumps({"type": "assistant", "message": message}) + "\n"


class Shown(Pty):
    """A console, and what is on its screen now."""

    def now(self):
        return self._screen.follow(self.bytes)

    def wait_without(self, text):
        deadline = time.monotonic() + 20
        while text in self.now():
            assert time.monotonic() < deadline, self.now()
            time.sleep(0.01)

    def wait_written(self, *texts):
        """Until these have been written, on the screen or beside it."""
        deadline = time.monotonic() + 20
        while not all(text.encode() in self.bytes for text in texts):
            assert time.monotonic() < deadline, (texts, self.now())
            time.sleep(0.01)

    def seen(self, before):
        """Of which texts there is something on the screen, right behind what this pattern finds."""
        return set(re.findall(before + "(h0[0-9][0-9])", self.now())) if before else marks(self.now())

    def page_through(self, wanted=EVERY, key=NEXT_PAGE, before="", patience_s=20.0):
        """Until all that is wanted has been on the screen."""
        found: set[str] = set()
        now = time.monotonic()
        deadline, back = now + patience_s, now + TURNS_AFTER_S
        while not wanted <= found:
            now = time.monotonic()
            assert now < deadline, f"never on screen: {sorted(wanted - found)}\n{self.now()}"
            if new := self.seen(before) - found:
                found |= new
                deadline, back = now + patience_s, now + TURNS_AFTER_S
            elif now > back:  # at the end, and a page was gone before it was all there
                key, back = (PAGE_BEFORE if key == NEXT_PAGE else NEXT_PAGE), now + TURNS_AFTER_S
            self.turn(key)
            self.settle()

    def turn(self, key):
        """Press it, and wait for what it does; for no longer than a key may take."""
        at, until = len(self.bytes), time.monotonic() + 0.2
        self.send(key)
        while time.monotonic() < until and len(self.bytes) == at:
            time.sleep(0.005)
