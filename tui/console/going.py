"""What becomes of a line after `:`? The part of the app that goes where it says, or has a verb run."""

import shlex
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from textual.app import App
from textual.message import Message
from textual.screen import ModalScreen

from tui.panes import messages as asked
from tui.places.history import History
from tui.places.lines import HERE, Going, Item, Known, Wrong, understand
from tui.reading import changes
from tui.theme import Palette, Tone

if TYPE_CHECKING:
    from state.runs import Run
    from tui.link import Link
    from tui.screens.overview import Overview

_ABOUT = 60
"""Characters of what a session or a run is about."""


class Goes(App[int]):
    """Goes to places."""

    link: "Link"
    overview: "Overview"
    config: Any
    palette: Palette
    history: History
    latest: dict[type[changes.Change], changes.Change]

    def flash(self, line: str, tone: Tone = "text") -> None:
        raise NotImplementedError

    async def action_help(self) -> None:
        raise NotImplementedError

    async def action_prompt(self) -> None:
        from tui.screens.prompt import Prompt

        await self.push_screen(Prompt(self.palette, self.history, self.known(), self.run_line))

    def known(self) -> Known:
        """What there is to go to now."""
        agents = tuple(self.config.agents) if self.config is not None else ()
        return Known(dict(_things(cast("dict[Any, Any]", self.latest))), agents)

    def run_line(self, line: str) -> None:
        """What was typed after `:`: a place to go to, else a verb of `qd`."""
        said = understand(line, self.known())
        if isinstance(said, Wrong):
            self.flash(said.line, "warn")
        elif isinstance(said, Going):
            self._go(said)
        else:
            self._run_verb(said.line)

    def _go(self, going: Going) -> None:
        pages: dict[str, type[Message]] = {
            "usage": asked.UsageAsked,
            "inbox": asked.InboxAsked,
            "gone": asked.GoneAsked,
        }
        if going.to == "quit":
            self.exit(0)
        elif going.to == "help":
            self.call_next(self.action_help)
        elif going.to == "gone" and self.overview.gone is None:
            self.flash("nothing is told of what happened while no console was open: it has been seen")
        elif going.to == HERE:
            self._narrow(going.filter)
        elif going.to in pages:
            self.post_message(pages[going.to]())
        elif going.to == "session":
            self.post_message(asked.SessionOpened(int(going.name)))
        elif going.to == "run":
            self.post_message(asked.RunOpened(int(going.name)))
        elif going.to == "job":
            self.post_message(asked.JobOpened(going.name))
        elif going.to == "budget":
            self.post_message(asked.BudgetOpened(going.name))
        else:
            self._go_home(going)

    def _narrow(self, text: str) -> None:
        """The list in front."""
        if self.screen is self.overview:
            self.overview.focused_pane.narrow(text)
        else:
            self.flash("there is no list here that could be narrowed: sessions /text goes to one", "warn")

    def _go_home(self, going: Going) -> None:
        """To the overview, or a pane of it."""
        while len(self.screen_stack) > 1:
            self.pop_screen()
        if going.to == "overview":
            self.overview.zoom(None)
            return
        pane = self.overview.panes[going.to]
        self.overview.go_to(pane.CONTEXT)
        pane.narrow(going.filter)
        names = [getattr(row, "name", None) for row in pane.table.rows]
        if going.name in names:
            pane.table.move_to(names.index(going.name))

    def _run_verb(self, line: str) -> None:
        try:
            words = shlex.split(line)
        except ValueError as error:
            self.flash(f"{error}: close the quotation", "bad")
            return
        self.link.command(line, words)


def pages_above(stack: Iterable[Any]) -> list[Any]:
    """The pages between the overview and what is opened now: dialogs are none."""
    return [one for one in list(stack)[1:] if not isinstance(one, ModalScreen)]


def _things(latest: dict[Any, Any]) -> Iterable[tuple[str, tuple[Item, ...]]]:
    if (sessions := latest.get(changes.SessionsChanged)) is not None:
        yield "session", tuple(Item(str(row.id), _session(row)) for row in sessions.board.rows)
    if (runs := latest.get(changes.RunsChanged)) is not None:
        yield "run", tuple(Item(str(row.id), _run(row)) for row in runs.rows)
    if (jobs := latest.get(changes.JobsChanged)) is not None:
        yield "job", tuple(Item(row.name, f"{row.trigger}, {row.agent}") for row in jobs.rows)
    if (budgets := latest.get(changes.BudgetsChanged)) is not None:
        yield "budget", tuple(Item(name) for name in dict.fromkeys(row.name for row in budgets.board.rows))
    if (skills := latest.get(changes.SkillsChanged)) is not None:
        yield "skills", tuple(Item(row.name) for row in skills.board.sets)


def _session(row: Any) -> str:
    return " ".join(part for part in (row.agent, row.title or row.job) if part)[:_ABOUT]


def _run(row: "Run") -> str:
    return f"{row.agent}: {row.task}".replace("\n", " ")[:_ABOUT]
