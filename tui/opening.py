"""Which screen comes up when something is asked for? The part of the app that opens them, each imported on its way."""

import shlex
from inspect import isawaitable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.message import Message

from engine.contract.orders import AllowSkill, Decide, Interrupt, ResetSession, StopRun
from tui import messages
from tui.asked import HASH_SHOWN
from tui.clean import clean_block
from tui.panes import messages as asked
from tui.reading import Gone
from tui.skill_page import SkillPage, skill_page
from tui.theme import Palette, Tone
from tui.views import SessionDetail, session_detail

if TYPE_CHECKING:
    from tui.attach import Ready
    from tui.feed import Feed
    from tui.link import Link
    from tui.screens.overview import Overview
    from tui.screens.screen import DeckScreen

SECTION_WORDS = {"job": "job", "budget": "budget", "skill_set": "skill set"}


class Opening(App[int]):
    """Opens screens; what they are told and what they do is wired by the console itself."""

    feed: "Feed"
    link: "Link"
    overview: "Overview"
    config: Any
    palette: Palette
    history: list[str]
    waiting: list[Message]
    """What was asked for before the configuration was known."""

    def flash(self, line: str, tone: Tone = "text") -> None:
        raise NotImplementedError

    def flash_beside(self, line: str) -> None:
        raise NotImplementedError

    def show_again(self, screen: "DeckScreen") -> None:
        raise NotImplementedError

    def known_config(self, message: Message) -> bool:
        """Whether the configuration in force has been read; if not, the message comes again when it has."""
        if self.config is None:
            self.waiting.append(message)
        return self.config is not None

    async def carry_out(self, message: Message) -> None:
        """Do what a message asks for now, instead of when its turn comes."""
        done = getattr(self, message.handler_name)(message)
        if isawaitable(done):
            await done

    async def open_screen(self, screen: "DeckScreen") -> None:
        """Put a screen on top and tell it what is known."""
        await self.push_screen(screen)
        self.show_again(screen)

    async def on_session_opened(self, message: asked.SessionOpened) -> None:
        from tui.screens.session import SessionScreen

        await self.open_screen(SessionScreen(self.palette, message.session_id))

    async def on_run_opened(self, message: asked.RunOpened) -> None:
        from tui.screens.run import RunScreen

        await self.open_screen(RunScreen(self.palette, message.run_id))

    async def on_talk_asked(self, message: asked.TalkAsked) -> None:
        from tui.screens.talk import TalkScreen

        await self.open_screen(TalkScreen(self.palette, message.session_id))

    def on_attach_asked(self, message: asked.AttachAsked) -> None:
        """The engine is asked first: it may be refused, like every run."""
        if self.is_headless:
            self.flash("there is no terminal here to hand over", "bad")
            return
        self.flash(f"session {message.session_id} is being opened in its own program")
        self.link.attach_run(message.session_id, lambda ready: self.call_next(self._give_terminal, ready))

    def _give_terminal(self, ready: "Ready") -> None:
        """The whole console waits: the terminal is somebody else's."""
        from tui.attach import hand_over
        from tui.away import deaf_to_keys

        with deaf_to_keys(), self.suspend():
            back = hand_over(ready, hold=True)
        if not back.goes_on:
            self.exit(0)
        if back.why:
            self.flash(f"run {ready.run_id}: {back.why}", "bad")
        else:
            self.flash(f"run {ready.run_id} has given the terminal back: what it used comes from its client's log")

    def on_interrupt_asked(self, message: asked.InterruptAsked) -> None:
        said = f"run {message.run_id} is asked to leave its turn; esc leaves the screen, ctrl+x ends the run"
        self.link.order("interrupt", Interrupt(run_id=message.run_id), lambda _: self.flash(said))

    async def on_inbox_asked(self, _: asked.InboxAsked) -> None:
        from tui.screens.inbox import InboxScreen

        if not isinstance(self.screen, InboxScreen):
            await self.open_screen(InboxScreen(self.palette))

    def on_decision_asked(self, message: asked.DecisionAsked) -> None:
        """The order says which question was looked at: another one by now is not answered by it."""

        def decide(_: str) -> None:
            body = Decide(approval_id=message.approval_id, approve=message.approve, sha256=message.sha256)
            self.link.order("decide", body, lambda _: self.flash(message.said))

        self._confirm(message.title, message.what, decide)

    async def on_skill_opened(self, message: asked.SkillOpened) -> None:
        """Read it once: what is shown must not change under the operator's eyes."""
        from tui.screens.skill import SkillScreen

        async def show(found: SkillPage | Gone) -> None:
            if isinstance(found, Gone):
                self.flash(found.line, "warn")
            else:
                await self.open_screen(SkillScreen(self.palette, found))

        read = skill_page(message.name, message.path, message.why)
        self.feed.once(read, lambda found: self.call_next(show, found))

    def on_allow_asked(self, message: asked.AllowAsked) -> None:
        what = (
            f"The file {message.path}",
            f"as it was shown: sha256 {message.sha256[:HASH_SHOWN]}",
            "A later change of the file holds it again.",
            *(f"Another file of this name is held too, and stays so: {path}" for path in message.others),
        )

        def allow(_: str) -> None:
            body = AllowSkill(name=message.name, path=message.path, sha256=message.sha256)
            self.link.order("allow_skill", body, lambda _: self._allowed(message.name))

        self._confirm(f"Allow the skill {message.name} as it is now?", what, allow)

    def _allowed(self, name: str) -> None:
        from tui.screens.skill import SkillScreen

        if isinstance(self.screen, SkillScreen):
            self.pop_screen()
        self.flash(f"skill {name} is allowed as it is now")

    async def on_spawn_asked(self, message: asked.SpawnAsked) -> None:
        from tui.screens.spawn import SpawnSheet

        if self.known_config(message):
            await self.open_screen(SpawnSheet(self.palette, self.config, str(Path.cwd())))

    async def on_sheet_asked(self, message: asked.SheetAsked) -> None:
        if self.known_config(message):
            await self.open_screen(self._sheet(message.section, message.name))

    async def on_assign_asked(self, message: asked.AssignAsked) -> None:
        from tui.screens.skill_sheets import AssignSheet

        await self.open_screen(AssignSheet(self.palette, self.config, message.skill_set))

    def on_reset_asked(self, message: asked.ResetAsked) -> None:
        """Look at the session as it stands now: the order says which generation the operator saw."""
        self.feed.once(session_detail(message.session_id), self._confirm_reset)

    def on_stop_asked(self, message: asked.StopAsked) -> None:
        run_id = message.run_id
        title, said = f"Stop run {run_id}?", f"run {run_id} is asked to end"
        what = ("Its processes are asked to end, and ended after the grace.", "What it used until then is booked.")
        if message.waits:
            title, said = f"Withdraw run {run_id}?", f"run {run_id} is withdrawn"
            what = ("It waits, holds nothing and has spent nothing.", "It is put on record as refused.")

        def stop(_: str) -> None:
            self.link.order("stop", StopRun(run_id=run_id), lambda _: self.flash(said))

        self._confirm(title, what, stop)

    def on_delete_asked(self, message: asked.DeleteAsked) -> None:
        words = SECTION_WORDS[message.section]
        what = (
            f"[{message.section}.{message.name}] is taken out of the configuration.",
            "What happened stays on record.",
        )

        def delete(_: str) -> None:
            said = f"{words} {message.name} is gone"
            self.link.drop_entry(message.section, message.name, lambda _: self.flash(said))

        self._confirm(f"Delete {words} {message.name}?", what, delete)

    async def on_command_answered(self, message: messages.CommandAnswered) -> None:
        from tui.screens.result import Result

        out, err = _lines(message.stdout), _lines(message.stderr)
        if len(out) + len(err) <= 1:
            said = (out or err or ["done" if message.exit_code == 0 else f"exit code {message.exit_code}"])[0]
            self.flash(said, "text" if message.exit_code == 0 else "bad")
            return
        await self.open_screen(Result(self.palette, message.line, message.exit_code, out, err))

    async def action_help(self) -> None:
        from tui.screens.help import Help

        if not isinstance(self.screen, Help):
            await self.open_screen(Help(self.palette))

    async def action_prompt(self) -> None:
        from tui.screens.prompt import Prompt

        await self.push_screen(Prompt(self.palette, self.history, self.run_line))

    def run_line(self, line: str) -> None:
        """What was typed after `:`: a place to go to, else a verb of `qd`."""
        from tui.screens.prompt import PLACES

        place = PLACES.get(line.casefold())
        if place == "quit":
            self.exit(0)
        elif place == "help":
            self.call_next(self.action_help)
        elif place == "inbox":
            self.post_message(asked.InboxAsked())
        elif place is not None:
            while len(self.screen_stack) > 1:
                self.pop_screen()
            self.overview.go_to(place)
        else:
            self._run_verb(line)

    def _run_verb(self, line: str) -> None:
        try:
            words = shlex.split(line)
        except ValueError as error:
            self.flash(f"{error}: close the quotation", "bad")
            return
        self.link.command(line, words[1:] if words[:1] == ["qd"] else words)

    def _confirm_reset(self, detail: SessionDetail | Gone) -> None:
        if isinstance(detail, Gone):
            self.flash(detail.line, "warn")
            return
        session = detail.session
        now = next((g for g in detail.generations if g.id == session.generation_id), None)
        number = now.number if now else 0
        if now is None or now.provider_id is None:
            self.flash(f"session {session.id} is fresh already; its next run starts a new conversation", "warn")
            return
        what = (
            f"At its next run generation {number + 1} starts; generation {number} is kept.",
            "Nothing is spent and nothing is deleted.",
            "u undoes this until a run has used it.",
        )

        def reset(note: str) -> None:
            body = ResetSession(session_id=session.id, seen_generation_id=session.generation_id, note=note)
            said = f"generation {number + 1} starts at the next run; u undoes"
            self.link.order("reset", body, lambda _: self.flash_beside(said))

        name = session.title or session.job or f"session {session.id}"
        self._confirm(f"Start {session.agent} > {name} afresh?", what, reset, ask="reason")

    def _confirm(self, title: str, what: tuple[str, ...], act: Any, ask: str = "") -> None:
        from tui.screens.confirm import Confirm

        self.push_screen(Confirm(self.palette, title, what, act, ask))

    def _sheet(self, section: str, name: str) -> "DeckScreen":
        if section == "job":
            from tui.screens.job_sheet import JobSheet

            return JobSheet(self.palette, self.config, name, str(Path.cwd()))
        if section == "budget":
            from tui.screens.budget_sheet import BudgetSheet

            rows = self.overview.panes["budgets"].budgets  # type: ignore[attr-defined]
            mine = tuple(row for row in rows if row.name == name)
            return BudgetSheet(self.palette, self.config, name, mine)
        from tui.screens.skill_sheets import SkillSetSheet

        return SkillSetSheet(self.palette, self.config, name, self.overview.panes["skills"].found)  # type: ignore[attr-defined]


def _lines(text: str) -> list[str]:
    lines = clean_block(text)
    while lines and not lines[-1].strip():
        lines.pop()
    return lines
