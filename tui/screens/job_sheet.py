"""Declare a job, and see when it will fire while you type: in your zone, and in UTC."""

import time
from datetime import UTC
from typing import Any

from engine.config.model import Config, Job
from tui import actions
from tui.screens.sheet import Sheet, no_line
from tui.text import age, local
from tui.theme import Palette
from tui.widgets.cells import Cell
from tui.widgets.form import Field

FIRES_SHOWN = 5


class JobSheet(Sheet):
    """Fields of `[job.NAME]`; below, its next fires, or what is wrong."""

    BINDINGS = actions.bindings("sheet")

    def __init__(self, palette: Palette, config: Config, name: str, workspace: str) -> None:
        job = config.job.get(name, Job(workspace=workspace))
        fields = (
            Field("name", name, "what to call it: health-check"),
            Field("every", job.every or "", "an interval, counted from now: 10m"),
            Field("cron", job.cron or "", "or five cron fields: 0 7 * * 1-5"),
            Field("agent", job.agent, "who does it", tuple(config.agents)),
            Field("lane", job.session, "isolated: afresh each time; main: its own conversation", ("isolated", "main")),
            Field("workspace", job.workspace or "", "the folder it works in; empty: the agent's"),
            Field("inject", " ".join(job.inject), "files for its prompt, apart by blanks"),
            Field("task", job.task, "what to do, in words"),
            Field("timeout", job.timeout or "", "for instance 5m; empty: the agent's"),
        )
        title = f"Job {name}" if name else "New job"
        super().__init__(palette, title, f"written to [job.{name or 'NAME'}]", fields)
        self._config, self._old, self._zone = config, name, job.zone
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
        entry: dict[str, Any] = {key: values[key] or None for key in ("every", "cron", "workspace", "task", "timeout")}
        inject = tuple(values["inject"].split())
        return entry | {"agent": values["agent"] or None, "session": values["lane"] or None, "inject": inject or None}

    def _fires(self) -> list[Cell]:
        from engine.runtime.settings import zone_name
        from engine.schedule.calendar import next_fires_ms, trigger

        self.problem = self._wrong()
        if self.problem:
            return [no_line("job", self.problem)]
        values, now_ms = self.form.values, time.time_ns() // 1_000_000
        try:
            trig = trigger(values["every"] or None, values["cron"] or None, self._zone or zone_name(self._config))
        except ValueError as error:
            self.problem = str(error)
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

    def _wrong(self) -> str:
        """What is wrong with the fields, apart from the calendar."""
        values = self.form.values
        if not values["name"]:
            return "give it a name"
        if values["name"] != self._old and values["name"] in self._config.job:
            return f"there is a job {values['name']} already"
        if values["agent"] not in self._config.agents:
            return f"there is no agent '{values['agent']}'; known: {', '.join(self._config.agents)}"
        if values["lane"] not in ("", "isolated", "main"):
            return "the lane is isolated or main"
        if self._old and values["name"] != self._old:
            return f"a job keeps its name: leave it at {self._old}, or write a new one with n"
        return _timeout_problem(values["timeout"])


def _timeout_problem(text: str) -> str:
    from engine.config.durations import seconds

    try:
        return "" if not text or seconds(text) > 0 else "a timeout must be more than zero"
    except ValueError as error:
        return str(error)
