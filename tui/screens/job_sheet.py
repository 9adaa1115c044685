"""Declare a job, and see when it will fire while you type: in your zone, and in UTC."""

import time
from collections.abc import Collection
from datetime import UTC
from typing import Any

from engine.config.model import Config, Job
from tui import actions
from tui.screens.sheet import Problem, Sheet, name_problem, no_line
from tui.text import age, local
from tui.theme import Palette
from tui.widgets.cells import Cell
from tui.widgets.form import Field

FIRES_SHOWN = 5
LANES = ("", "isolated", "main")
NOTHING = "none"
"""In `inject`: no file, whatever the agent or the task type says."""


class JobSheet(Sheet):
    """Fields of `[job.NAME]`; below, its next fires, or what is wrong."""

    BINDINGS = actions.bindings("sheet")

    def __init__(self, palette: Palette, config: Config, name: str, workspace: str) -> None:
        job = config.job.get(name, Job(workspace=workspace))
        fields = _fields(config, name, job)
        title = f"Job {name}" if name else "New job"
        super().__init__(palette, title, f"written to [job.{name or 'NAME'}]", fields)
        self._config, self._old = config, name
        self.form.folder = self._folder
        self.problem = ""

    def judge(self) -> None:
        self.judged(self._fires())

    def action_save(self) -> None:
        """Write it, when it is good; the engine takes it up at once."""
        self.judge()
        if self.problem:
            self.flash(self.problem, "bad")
            return
        values = self.form.values
        self.flash("writing", "dim")
        link = self.deck.link
        link.put_entry("job", values["name"], self._entry(), lambda _: self.written(f"job {values['name']} is written"))

    def _entry(self) -> dict[str, Any]:
        """The keys to write; what is empty is taken out, so that its default holds."""
        values = self.form.values
        plain = ("every", "cron", "zone", "agent", "workspace", "task", "timeout")
        entry: dict[str, Any] = {key: values[key] or None for key in plain}
        inject = () if values["inject"] == NOTHING else tuple(values["inject"].split()) or None
        entry |= {"session": values["lane"] or None, "task_type": values["task type"] or None, "inject": inject}
        return entry | {"can_write": tuple(values["can write"].split()) or None}

    def _folder(self) -> str:
        """Where it will work: as it says, else as its agent does."""
        values = self.form.values
        agent = self._config.agents.get(values["agent"] or Job().agent)
        return values["workspace"] or (agent.workspace if agent is not None else None) or ""

    def _fires(self) -> list[Cell]:
        from engine.runtime.settings import zone_name
        from engine.schedule.calendar import next_fires_ms, trigger

        problems = self._wrong()
        self.problem = problems[0][1] if problems else ""
        marked = self.found_wrong(problems, "job")
        if problems:
            return marked
        values, now_ms = self.form.values, time.time_ns() // 1_000_000
        try:
            trig = trigger(values["every"] or None, values["cron"] or None, values["zone"] or zone_name(self._config))
        except ValueError as error:
            self.problem = str(error)
            self.form.mark(("cron" if values["cron"] else "every",))
            return [no_line("when", self.problem)]
        fires = next_fires_ms(trig, now_ms, now_ms, FIRES_SHOWN)
        head: Cell = ((f"{'next fires':<12}", "dim"), (f"{trig.words}, in {trig.zone}", "text"))
        return [head, *(self._fire(fire, now_ms, trig.zone) for fire in fires)]

    def _fire(self, fire_ms: int, now_ms: int, zone: str) -> Cell:
        from zoneinfo import ZoneInfo

        here = local(fire_ms, ZoneInfo(zone)).strftime("%a %d %b %H:%M:%S")
        utc = local(fire_ms, UTC).strftime("%a %d %b %H:%M:%S UTC")
        return (
            (" " * 12, "dim"),
            (f"{here:<22}", "text"),
            (f"{utc:<26}", "dim"),
            (f"in {age(now_ms, fire_ms)}", "dim"),
        )

    def _wrong(self) -> list[Problem]:
        """What is wrong with the fields, apart from the calendar."""
        values, config = self.form.values, self._config
        zone = "" if _is_zone(values["zone"]) else f"there is no zone '{values['zone']}'; write it like Europe/Berlin"
        lane = "" if values["lane"] in LANES else "the lane is isolated or main; empty: as the task type says"
        found = [
            ("name", name_problem("job", values["name"], self._old, config.job)),
            ("agent", _unknown("agent", values["agent"], config.agents)),
            ("lane", lane),
            ("task type", _unknown("task type", values["task type"], config.task_types)),
            ("zone", zone),
            ("timeout", _timeout_problem(values["timeout"])),
        ]
        return [(field, why) for field, why in found if why]


def _unknown(kind: str, name: str, known: Collection[str]) -> str:
    return f"there is no {kind} '{name}'; known: {', '.join(known)}" if name and name not in known else ""


def _fields(config: Config, name: str, job: Job) -> tuple[Field, ...]:
    inject = "" if job.inject is None else " ".join(job.inject) or NOTHING
    return (
        Field("name", name, "what to call it: health-check"),
        Field("every", job.every or "", "an interval, from now on: 10m"),
        Field("cron", job.cron or "", "or: 0 7 * * 1-5", beside=True),
        Field("agent", job.agent, "digest", tuple(config.agents)),
        Field("zone", job.zone or "", "as all of them", beside=True),
        Field("task type", job.task_type or "", "the agent's, else cron", tuple(config.task_types)),
        Field("lane", job.session or "", "as the task type says", ("isolated", "main"), beside=True),
        Field("workspace", job.workspace or "", "the folder it works in; empty: the agent's"),
        Field("inject", inject, "files for its prompt, or none", paths=True),
        Field("can write", " ".join(job.can_write), "paths that it may write", beside=True, paths=True),
        Field("task", job.task, "what to do, in words"),
        Field("timeout", job.timeout or "", "for instance 5m; empty: as the agent or the task type says"),
    )


def _is_zone(name: str) -> bool:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return not name or bool(ZoneInfo(name).key)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False


def _timeout_problem(text: str) -> str:
    from engine.config.durations import seconds

    try:
        return "" if not text or seconds(text) > 0 else "a timeout must be more than zero"
    except ValueError as error:
        return str(error)
