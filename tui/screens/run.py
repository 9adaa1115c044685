"""One run: why it was let through or not, what its prompt was made of, what it used, what it says. Live while live."""

from textual.app import ComposeResult

from tui import actions
from tui.panes.copies import Copying, of_run
from tui.panes.messages import EditorAsked, InboxAsked, StopAsked, ask
from tui.reading import changes
from tui.reading.details import RunDetail, run_detail
from tui.reading.listener import Listener, RunTold
from tui.reading.snapshot import Gone
from tui.screens.output import Reader
from tui.screens.run_gate import waits_for_word
from tui.screens.run_text import sections, title_line
from tui.screens.screen import DeckScreen
from tui.theme import Palette, Tone
from tui.widgets.cells import Cell, wrap
from tui.widgets.flash import Flash
from tui.widgets.lines import Lines

_LEAST_WIDTH = 40
TOLD_SHOWN = 200
"""Lines of what a live run tells, the last ones."""
OUTPUT_EVERY_MS = 500
"""How often the output of a live run is read: it grows without anybody committing."""


class RunScreen(DeckScreen):
    """Everything about it on one page that scrolls."""

    DEFAULT_CSS = """
    RunScreen { padding: 0 1; }
    RunScreen > .-title { height: 2; }
    RunScreen > .-said { height: 1; }
    """
    BINDINGS = actions.bindings("run")
    CONTEXTS = ("run",)

    def __init__(self, palette: Palette, run_id: int) -> None:
        super().__init__(palette)
        self.run_id = run_id
        self.detail: RunDetail | None = None
        self._title = Lines(palette, classes="-title")
        self.reader = Reader(palette)
        self._said = Flash(palette)
        self._copying = Copying()
        self._listener: Listener | None = None
        self._often = True
        self._told: tuple[Cell, ...] = ()
        """What it has told while this was open."""

    def compose_body(self) -> ComposeResult:
        yield self._title
        yield self.reader
        yield self._said

    def on_mount(self) -> None:
        self.reader.page.focus()

    def on_screen_resume(self) -> None:
        self._look_often(self.detail is None or self.detail.run.open)

    def _look_often(self, often: bool) -> None:
        """What has ended says no more: it is read again when somebody commits."""
        self._often = often
        self.deck.feed.watch(run_detail(self.run_id), *([OUTPUT_EVERY_MS] if often else []))

    def on_unmount(self) -> None:
        if self._listener is not None:
            self._listener.stop()

    def on_resize(self) -> None:
        self._draw()

    def on_run_told(self, message: RunTold) -> None:
        self._told = message.lines[-TOLD_SHOWN:]
        self._draw()

    def take(self, change: changes.Change) -> None:
        match change:
            case changes.DetailChanged(RunDetail() as detail) if detail.run.id == self.run_id:
                if self._often and not detail.run.open:
                    self._look_often(False)
                settled = self.detail is not None and self.detail.run.open and not detail.run.open
                self.detail = detail
                if detail.run.live and self._listener is None:
                    self._listener = Listener(self.deck.home, self.run_id, self)
                self._draw()
                self.refresh_bindings()
                if settled or not detail.run.open:
                    self.flash("")
            case changes.DetailChanged(Gone(line)):
                self._said.stand(((line, "warn"),))
            case _:
                pass

    def on_reader_ended(self, message: Reader.Ended) -> None:
        self.flash(message.line, "dim")

    def tick(self, now_ms: int) -> None:
        super().tick(now_ms)
        self._draw()

    def flash(self, line: str, tone: Tone = "text") -> None:
        self._said.flash(line, tone)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "stop" and (self.detail is None or not self.detail.run.open):
            return False
        if action == "editor" and self.why_not(action):
            return False
        if action == "follow" and not (self.detail is not None and waits_for_word(self.detail)):
            return False
        return super().check_action(action, parameters)

    def why_not(self, action: str) -> str:
        """Why this cannot be done with the run; empty when it can, or where that is not for it to say."""
        started = self.detail is not None and self.detail.run.started_ms is not None
        return "" if started or action != "editor" else "it has not started, and has said nothing that could be opened"

    def action_stop(self) -> None:
        if self.detail is not None:
            self.post_message(StopAsked(self.run_id, waits=not self.detail.run.live))

    async def action_follow(self) -> None:
        """To where it is answered."""
        await ask(self.app, InboxAsked())

    def action_editor(self) -> None:
        self.post_message(EditorAsked(run_id=self.run_id))

    def action_copy(self) -> None:
        if self.detail is not None:
            self.post_message(self._copying.next(self.run_id, of_run(self.detail)))

    def action_back(self) -> None:
        self.deck.feed.unwatch()
        self.dismiss()

    def _draw(self) -> None:
        if self.detail is None:
            return
        width = max(_LEAST_WIDTH, self.size.width - 2)
        title = wrap(title_line(self.detail, self.now_ms, width, self.trail), width, 2)
        self._title.styles.height = len(title) + 1
        self._title.show(title)
        text = sections(self.detail, self.now_ms, width, self.deck.zone, self._told, self.deck.keymap)
        self.reader.show(text, width, follow=self.detail.run.live)
