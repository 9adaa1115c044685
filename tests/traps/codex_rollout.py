"""How does Codex write a rollout? Rows of a thread as the client has them, and what its responses used."""

import os
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from tests.traps.trap import Expected, write_rows

START = datetime(2026, 11, 10, 10, tzinfo=UTC)
MODEL = "gpt-6.1-sol"
WINDOW = 258400
COUNTED = ("token_count", "token_usage_record")


class Used(NamedTuple):
    """What one response used, in Codex's terms: `cached` and `write` are inside `prompt`, `thought` inside `output`."""

    prompt: int
    output: int
    cached: int = 0
    write: int = 0
    thought: int = 0

    def plus(self, other):
        return Used(*(one + more for one, more in zip(self, other, strict=True)))

    def logged(self, total=None):
        return {
            "input_tokens": self.prompt,
            "cached_input_tokens": self.cached,
            "cache_write_input_tokens": self.write,
            "output_tokens": self.output,
            "reasoning_output_tokens": self.thought,
            "total_tokens": self.prompt + self.output if total is None else total,
        }


def thread_id(number):
    return f"01a1fb94-{number:04x}-7dc2-aaa2-018b37779d51"


def limits(used_percent=12.0):
    window = {"used_percent": used_percent, "window_minutes": 300, "resets_at": 1794330000}
    week = {"used_percent": 3.0, "window_minutes": 10080, "resets_at": 1794830000}
    return {"limit_id": "codex", "primary": window, "secondary": week, "credits": None, "plan_type": "plus"}


class Rollout:
    """One thread's file in the making. `form` says how its responses are told: `counter` (totals and last), `record`
    (a record and its counter), `totals` (a counter without last), `last` (a counter without totals)."""

    def __init__(self, home, number, form="counter", start=START, pause=4.0, ordinals=False, archived=False):
        self.home, self.id, self.form = home / ".codex", thread_id(number), form
        self.started = self.now = start
        self.pause, self.ordinals = pause, ordinals
        day = "archived_sessions" if archived else f"sessions/{start:%Y/%m/%d}"
        self.path = self.home / day / f"rollout-{start:%Y-%m-%dT%H-%M-%S}-{self.id}.jsonl"
        self.rows, self.used, self.by_day = [], [], {}
        self.total = Used(0, 0)
        self.responses = 0

    def add(self, kind, payload):
        self.rows.append({"timestamp": _stamp(self.now), "type": kind, "payload": payload})
        self.now += timedelta(milliseconds=1)
        return self

    def event(self, kind, **payload):
        return self.add("event_msg", {"type": kind, **payload})

    def meta(self, **more):
        payload = {"id": self.id, "timestamp": _stamp(self.started), "cwd": "/home/op/work", "originator": "codex_exec"}
        payload |= {"cli_version": "0.169.0" if self.form == "record" else "0.98.0", "source": "exec"}
        if self.ordinals:
            payload["history_mode"] = "paginated"
        return self.add("session_meta", payload | {"model_provider": "openai", **more})

    def ask(self, text="go on", model=MODEL):
        """The operator's turn begins."""
        self.event("task_started", turn_id=f"turn-{len(self.rows)}", model_context_window=WINDOW)
        context = {"cwd": "/home/op/work", "approval_policy": "never", "effort": "low", "summary": "none"}
        if model is not None:
            context["model"] = model
            self.add("turn_context", context)
        content = [{"type": "input_text", "text": text}]
        self.add("response_item", {"type": "message", "role": "user", "content": content})
        return self.event("user_message", message=text)

    def reply(self, used, form=None, counted=True):
        """A response: the model takes its time, then the client writes what it got and what it cost."""
        form = form or self.form
        self.now += timedelta(seconds=self.pause)
        self.total = self.total.plus(used)
        self.responses += 1
        if counted:
            self.counts(used)
        content = [{"type": "output_text", "text": "done " * 8}]
        self.add("response_item", {"type": "message", "role": "assistant", "content": content})
        if form.startswith("record"):
            self.record(used)
        if form != "record_only":
            self.counter(None if form == "last" else self.total, None if form == "totals" else used)
        return self

    def counts(self, used):
        """A response that must be counted, on this day."""
        self.used.append(used)
        day = f"{self.now:%Y-%m-%d}"
        self.by_day[day] = self.by_day.get(day, 0) + used.output
        return self

    def counter(self, total, last, percent=12.0):
        """The bare `token_count`; objects that are not `Used` are written as they are."""
        info = {"model_context_window": WINDOW}
        for name, value in (("total_token_usage", total), ("last_token_usage", last)):
            if value is not None:
                info[name] = value.logged() if isinstance(value, Used) else value
        return self.event("token_count", info=info, rate_limits=limits(percent))

    def record(self, used, thread=None, response=None):
        thread = thread or self.id
        payload = {"thread_id": thread, "session_id": thread, "turn_id": "turn-1"}
        payload["response_id"] = response or f"resp_{thread[9:13]}{self.responses:04}"
        payload |= {"usage": used.logged(), "thread_token_usage": self.total.logged()}
        return self.add("token_usage_record", payload)

    def replay(self, parent, rows=slice(None), without=(), step_ms=1.0):
        """The parent's rows, all or some, stamped anew."""
        for row in parent.rows[rows]:
            kind = row["payload"].get("type") if row["type"] == "event_msg" else row["type"]
            if kind not in without:
                self.rows.append({**deepcopy(row), "timestamp": _stamp(self.now)})
                self.now += timedelta(milliseconds=step_ms)
        self.total = parent.total
        return self

    def lines(self):
        return [{"ordinal": n, **row} for n, row in enumerate(self.rows)] if self.ordinals else self.rows

    def write(self, *more, end=b"\n"):
        """The file, dated by its last row; `more` are rows or bytes behind it."""
        write_rows(self.path, *self.lines(), *more, end=end)
        return self.date(self.path)

    def date(self, path):
        os.utime(path, ns=(0, int(self.now.timestamp()) * 10**9))
        return self


def expected(*rollouts, refused=None):
    """The sum of what was put in."""
    used = [one for rollout in rollouts for one in rollout.used]
    by_day = {}
    for rollout in rollouts:
        for day, output in rollout.by_day.items():
            by_day[day] = by_day.get(day, 0) + output
    return Expected(
        responses=len(used),
        input_tokens=sum(one.prompt - one.cached - one.write for one in used),
        cache_read_tokens=sum(one.cached for one in used),
        cache_write_tokens=sum(one.write for one in used),
        output_tokens=sum(one.output for one in used),
        by_day=by_day,
        sessions={rollout.id: sum(one.output for one in rollout.used) for rollout in rollouts if rollout.used},
        refused=refused or {},
    )


def _stamp(moment):
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
