"""Which screen comes up when something is asked for? The part of the app that opens them, each imported on its way."""

from functools import partial
from inspect import isawaitable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.message import Message

from engine.contract.orders import AllowSkill, Decide, Interrupt, ResetSession, StopRun
from tui import messages
from tui.clean import clean_block
from tui.console.going import Goes, pages_above
from tui.console.lending import Lends
from tui.panes import messages as asked
from tui.places.crumbs import trail
from tui.reading.able import attach_problem
from tui.reading.asked import HASH_SHOWN
from tui.reading.details import SessionDetail, session_detail
from tui.reading.journal import UndoChanged, acts
from tui.reading.skill_page import SkillPage, skill_page
from tui.reading.snapshot import Gone
from tui.theme import Palette, Tone

if TYPE_CHECKING:
    from engine.runtime.undoing import Undoable
    from tui.actions.keymap import Keymap
    from tui.console.typed import InOrder
    from tui.link import Link
    from tui.reading.changes import Change
    from tui.reading.feed import Feed
    from tui.screens.confirm import Confirm
    from tui.screens.overview import Overview
    from tui.screens.screen import DeckScreen
    from tui.terminal.attach import Ready

SECTION_WORDS = {"job": "job", "budget": "budget", "skill_set": "skill set"}


class Opening(Goes, Lends):
    """Opens screens; what they are told and what they do is wired by the console itself."""

    feed: "Feed"
    link: "Link"
    overview: "Overview"
    config: Any
    palette: Palette
    latest: "dict[type[Change], Change]"
    in_order: "InOrder"
    keymap: "Keymap"
    waiting: list[Message]
    """What was asked for before the configuration was known."""

    def flash(self, line: str, tone: Tone = "text") -> None:
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
        screen.trail = trail(pages_above(self.screen_stack), screen, self.overview.focused_pane.CONTEXT, self.latest)
        await self.push_screen(screen)
        self.show_again(screen)

    async def on_session_opened(self, message: asked.SessionOpened) -> None:
        from tui.screens.session import SessionScreen

        await self.open_screen(SessionScreen(self.palette, message.session_id))

    async def on_run_opened(self, message: asked.RunOpened) -> None:
        from tui.screens.run import RunScreen

        await self.open_screen(RunScreen(self.palette, message.run_id))

    async def on_job_opened(self, message: asked.JobOpened) -> None:
        from tui.screens.job import JobScreen

        await self.open_screen(JobScreen(self.palette, message.name))

    async def on_budget_opened(self, message: asked.BudgetOpened) -> None:
        from tui.screens.budget import BudgetScreen

        await self.open_screen(BudgetScreen(self.palette, message.name))

    async def on_talk_asked(self, message: asked.TalkAsked) -> None:
        from tui.screens.session import SessionScreen

        await self.open_screen(SessionScreen(self.palette, message.session_id, speaks=True))

    def on_attach_asked(self, message: asked.AttachAsked) -> None:
        """The engine is asked first: it may be refused, like every run."""
        if self.is_headless:
            self.flash("there is no terminal here to hand over", "bad")
            return
        self.feed.once(attach_problem(message.session_id), lambda why: self._ask_to_attach(message.session_id, why))

    def _ask_to_attach(self, session_id: int, why: str) -> None:
        """What is known not to be possible is not asked for: it would be a refused run on record."""
        if why:
            self.flash(why, "warn")
            return
        self.flash(f"session {session_id} is being opened in its own program")
        self.link.attach_run(session_id, lambda ready: self.call_next(self._give_terminal, ready))

    def _give_terminal(self, ready: "Ready") -> None:
        from tui.terminal.attach import hand_over

        with self.lent():
            back = hand_over(ready, hold=True)
        if not back.goes_on:
            self.exit(0)
        if back.why:
            self.flash(f"run {ready.run_id}: {back.why}", "bad")
        else:
            self.flash(f"run {ready.run_id} has given the terminal back: what it used comes from its client's log")

    def on_interrupt_asked(self, message: asked.InterruptAsked) -> None:
        ways = self.keymap.told("{back} leaves the screen, {talk.stop} ends the run")
        said = f"run {message.run_id} is asked to leave its turn; {ways}"
        self.link.order("interrupt", Interrupt(run_id=message.run_id), lambda _: self.flash(said))

    async def on_inbox_asked(self, _: asked.InboxAsked) -> None:
        from tui.screens.inbox import InboxScreen

        if not isinstance(self.screen, InboxScreen):
            await self.open_screen(InboxScreen(self.palette))

    async def on_usage_asked(self, _: asked.UsageAsked) -> None:
        from tui.screens.usage import UsageScreen

        if not isinstance(self.screen, UsageScreen):
            await self.open_screen(UsageScreen(self.palette))

    async def on_gone_asked(self, _: asked.GoneAsked) -> None:
        from tui.screens.gone import GoneScreen

        if (told := self.overview.gone) is not None:
            await self.open_screen(GoneScreen(self.palette, told))
            self.overview.drop_gone()

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
            self.in_order.came(number, opened=not isinstance(found, Gone))

        number = self.in_order.expect()
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
        number = self.in_order.expect()
        self.feed.once(
            session_detail(message.session_id), lambda detail: self.call_next(self._confirm_reset, detail, number)
        )

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
        from tui.screens.help import Help, live

        if not isinstance(self.screen, Help):
            await self.open_screen(Help(self.palette, live(self.screen), self.keymap))

    async def _confirm_reset(self, detail: SessionDetail | Gone, number: int) -> None:
        """Keys that were typed since wait for the dialog, if there is to be one."""
        asking = self._reset_question(detail)
        if asking is not None:
            await self.push_screen(asking)
        self.in_order.came(number, opened=asking is not None)

    def _reset_question(self, detail: SessionDetail | Gone) -> "Confirm | None":
        if isinstance(detail, Gone):
            self.flash(detail.line, "warn")
            return None
        session = detail.session
        now = next((g for g in detail.generations if g.id == session.generation_id), None)
        number = now.number if now else 0
        if now is None or now.provider_id is None:
            self.flash(f"session {session.id} is fresh already; its next run starts a new conversation", "warn")
            return None
        what = (
            f"At its next run generation {number + 1} starts; generation {number} is kept.",
            "Nothing is spent and nothing is deleted.",
            self.keymap.told("{undo} undoes this until a run has used it."),
        )

        def reset(note: str) -> None:
            body = ResetSession(session_id=session.id, seen_generation_id=session.generation_id, note=note)
            said = f"the next run begins afresh, in generation {number + 1}; {self.keymap.named('undo')} undoes that"
            known = partial(self._say_undoable, said)
            self.link.order("reset", body, lambda _: self.feed.once(acts, known))

        name = session.title or session.job or f"session {session.id}"
        return self._question(f"Start {session.agent} > {name} afresh?", what, reset, ask="reason")

    def _say_undoable(self, said: str, found: "tuple[Undoable, ...]") -> None:
        """Not before the key does what is said of it."""
        self.post_message(UndoChanged(found))
        self.call_later(self.flash, said)

    def _confirm(self, title: str, what: tuple[str, ...], act: Any, ask: str = "") -> None:
        self.push_screen(self._question(title, what, act, ask))

    def _question(self, title: str, what: tuple[str, ...], act: Any, ask: str = "") -> "Confirm":
        from tui.screens.confirm import Confirm

        return Confirm(self.palette, title, what, act, ask)

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
