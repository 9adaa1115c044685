"""One session: what it has been through as a timeline, below what the cursor is on, and a line to talk in it."""

from textual import events
from textual.app import ComposeResult

from tui import actions
from tui.messages import VerdictCame
from tui.panes.copies import Copying, of_session
from tui.panes.messages import AttachAsked, InterruptAsked, ResetAsked, RunOpened, StopAsked, ask
from tui.reading import changes
from tui.reading.able import OBSERVED
from tui.reading.listener import Listener, RunTold
from tui.reading.snapshot import Gone
from tui.reading.talks import Talk, talk
from tui.screens import timeline
from tui.screens.output import Reader
from tui.screens.screen import DeckScreen
from tui.screens.session_text import sections, summary_line
from tui.screens.talk import TalkBar
from tui.screens.talk_lines import title_line
from tui.screens.timeline import Entry
from tui.text import MINUTE_MS
from tui.theme import Palette, Tone
from tui.widgets.cells import Cell
from tui.widgets.lines import Lines
from tui.widgets.table import Table

_LEAST_WIDTH = 40
_WIDE, _TALL = 100, 30
"""From so many cells and lines on, the timeline and the text are both there."""
_AROUND = 7
"""Lines of the screen that neither the text nor a question has."""
_TEXT_LEAST = 3
"""Lines of the text that stay in sight beside a question."""
_LIST_LEAST = 4
_READING, _TIMELINE = "-reading", "-timeline"


class SessionScreen(DeckScreen):
    """In a small terminal the timeline or the text, tab between them. The line is below either."""

    DEFAULT_CSS = """
    SessionScreen { padding: 0 1; }
    SessionScreen > .-title { height: 2; }
    SessionScreen > Reader { border-top: solid $qd-line; }
    SessionScreen.-one > Reader { border-top: none; }
    SessionScreen.-one.-timeline > Reader, SessionScreen.-one.-reading > Table { display: none; }
    """
    BINDINGS = actions.bindings("session")
    CONTEXTS = ("session",)

    def __init__(self, palette: Palette, session_id: int, speaks: bool = False) -> None:
        super().__init__(palette)
        self.session_id = session_id
        self.talk: Talk | None = None
        self.table: Table[Entry] = Table(timeline.COLUMNS, lambda row: row.key, self._cells, palette)
        self.reader = Reader(palette)
        self.bar = TalkBar(palette)
        self._title = Lines(palette, classes="-title")
        self._rows: tuple[Entry, ...] = ()
        self._key: tuple[str, int] | None = None
        """What the text was last put at."""
        self._upto: int | None = None
        """The run up to which turns are read; None: the last one."""
        self._speaks = speaks
        self._copying = Copying()
        self._listener: Listener | None = None
        self._told: dict[int, RunTold] = {}
        """By run, of those that were live while this was open."""
        self._minute = 0
        self.add_class(_READING if speaks else _TIMELINE)

    def compose_body(self) -> ComposeResult:
        yield self._title
        yield self.table
        yield self.reader
        yield self.bar

    def on_mount(self) -> None:
        self.set_focus(self.bar.line if self._speaks else self.table)

    def on_unmount(self) -> None:
        self._listen(None)

    def on_screen_resume(self) -> None:
        self.deck.feed.watch(talk(self.session_id, self._upto))

    def on_resize(self) -> None:
        super().on_resize()
        self.set_class(self.size.width < _WIDE or self.size.height < _TALL, "-one")
        self.call_after_refresh(self._draw)

    def on_descendant_focus(self) -> None:
        self._draw_bar()
        self.refresh_bindings()

    def on_key(self, event: events.Key) -> None:
        """A question, else the text, can be scrolled without leaving the line."""
        up, down = (self.deck.keymap.means(event.key, name) for name in ("page.up", "page.down"))
        if (up or down) and self.bar.line.has_focus:
            page = self.bar.question.page if self.bar.asks else self.reader.page
            page.action_page(-1 if up else 1)

    def take(self, change: changes.Change) -> None:
        match change:
            case changes.DetailChanged(Talk() as found) if found.session.id == self.session_id:
                self._take(found)
            case changes.DetailChanged(Gone(line)):
                self.bar.stand(line, "warn")
            case _:
                pass

    def take_verdict(self, message: VerdictCame) -> None:
        self.bar.take_verdict(message)

    def tick(self, now_ms: int) -> None:
        super().tick(now_ms)
        self.table.refresh_changed()
        self._draw_bar()
        if now_ms // MINUTE_MS != self._minute:
            self._minute = now_ms // MINUTE_MS
            self._draw()

    def flash(self, line: str, tone: Tone = "text") -> None:
        self.bar.flash(line, tone)

    def on_run_told(self, message: RunTold) -> None:
        self._told[message.run_id] = message
        self._draw()

    def on_reader_ended(self, message: Reader.Ended) -> None:
        self.flash(message.line, "dim")

    def on_talk_bar_spoken(self) -> None:
        self._follow()
        self._draw()
        self.reader.page.action_end(1)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "open" and not self._on_run:  # an enter too many, meant for a dialog, must open nothing
            return False
        if action == "stop" and (self.talk is None or self.talk.open is None):
            return False
        if action in ("reset", "type", "attach") and self.why_not(action):
            return False
        if action == "other":
            return True
        if action == "interrupt":  # it must not quit the console, whatever has the keyboard
            return self._ours and not self.deck.read_only
        return super().check_action(action, parameters)

    def why_not(self, action: str) -> str:
        """Why this cannot be done with the session; empty when it can, or where that is not for it to say."""
        if action == "reset" and not self._ours:
            return OBSERVED
        if action not in ("type", "attach") or self.talk is None:
            return ""
        return self.talk.no_talk if action == "type" else self.talk.no_attach

    async def on_table_row_chosen(self) -> None:
        await self.action_open()

    def on_table_cursor_moved(self) -> None:
        """The text goes to what the cursor is on; where that has not been read, it is."""
        row = self.table.selected
        if row is not None and row.key != self._key:
            self._key = row.key
            self._put_text()
        self.refresh_bindings()

    async def action_open(self) -> None:
        if (row := self.table.selected) and row.run is not None:
            await ask(self.app, RunOpened(row.id))

    def action_type(self) -> None:
        self._turn_to(_READING)
        self.set_focus(self.bar.line)

    def action_other(self) -> None:
        """From the timeline to the text, to what is asked, and back; from the line to what is asked first."""
        asked = self.bar.question.page if self.bar.asks else None
        if self.bar.line.has_focus:
            self._turn_to(_READING)
            self.set_focus(asked or self.reader.page)
        elif self.reader.has_focus_within and asked is not None:
            self.set_focus(asked)
        elif self.table.has_focus:
            self._turn_to(_READING)
            self.set_focus(self.reader.page)
        else:
            self._turn_to(_TIMELINE)
            self.set_focus(self.table)

    def action_interrupt(self) -> None:
        """Of a line that is typed while nothing is answered, the words go."""
        run = self.talk.open if self.talk is not None else None
        if run is not None and run.live:
            self.post_message(InterruptAsked(run.id))
        elif self.bar.line.value:
            self.bar.line.value = ""
        else:
            said = "nothing is being answered; {back} leaves the screen, {leave} the console"
            self.flash(self.deck.keymap.told(said))

    def action_attach(self) -> None:
        self.post_message(AttachAsked(self.session_id))

    def action_reset(self) -> None:
        self.post_message(ResetAsked(self.session_id))

    def action_stop(self) -> None:
        if self.talk is not None and (run := self.talk.open):
            self.post_message(StopAsked(run.id, waits=not run.live))

    def action_copy(self) -> None:
        if self.talk is not None:
            self.post_message(self._copying.next(self.session_id, of_session(self.talk.detail)))

    def action_back(self) -> None:
        """From the line to the timeline, and then out; who came to talk goes out at once."""
        if self.bar.line.has_focus and not self._speaks:
            self._turn_to(_TIMELINE)
            self.set_focus(self.table)
            return
        self.deck.feed.unwatch()
        self.dismiss()

    @property
    def _on_run(self) -> bool:
        """The keyboard is in the timeline, on a run."""
        row = self.table.selected
        return self.table.has_focus and row is not None and row.run is not None

    @property
    def _ours(self) -> bool:
        return self.talk is not None and self.talk.session.agent is not None

    @property
    def _width(self) -> int:
        return max(_LEAST_WIDTH, self.size.width - 2)

    @property
    def _list_height(self) -> int:
        """Lines of the timeline beside the text; 0 where one of them has all the room."""
        if self.has_class("-one"):
            return 0
        return min(len(self._rows) + 1, max(_LIST_LEAST, self.size.height // 3))

    def _turn_to(self, which: str) -> None:
        """In a small terminal this is what is there."""
        self.set_class(which == _READING, _READING)
        self.set_class(which == _TIMELINE, _TIMELINE)

    def _take(self, found: Talk) -> None:
        newest = not self._rows or self.table.cursor >= len(self._rows) - 1
        first, self.talk = self.talk is None, found
        self._rows = timeline.entries(found.detail)
        self.bar.take(found)
        self.table.show(self._rows)
        if newest:
            self._follow()
        live = found.open
        self._listen(live.id if live is not None and live.live else None)
        if first and self._speaks and not self._ours:
            self.set_focus(self.table)
        self._draw()
        self.refresh_bindings()

    def _follow(self) -> None:
        """The cursor on what came last; the text shows its end anyway."""
        if self._rows:
            self._key = self._rows[-1].key
            self.table.move_to(len(self._rows) - 1)

    def _put_text(self) -> None:
        row = self.table.selected
        assert row is not None
        last = row.key == self._rows[-1].key
        upto = row.id if row.kind == "run" and not last else None
        shown = {turn.run.id for turn in self.talk.turns} if self.talk is not None else set()
        if (upto is not None and upto not in shown) or (last and self._upto is not None):
            self._upto = upto
            self.deck.feed.watch(talk(self.session_id, upto))
        if last:
            self.reader.page.action_end(1)
        else:
            self.reader.jump(row.key)

    def _listen(self, run_id: int | None) -> None:
        """To this run from now on. One that has ended is heard to its end by the listener itself."""
        if run_id is None and self.is_attached and self._listener is not None and self.talk is not None:
            return
        if self._listener is not None and self._listener.run_id != run_id:
            self._listener.stop()
            self._listener = None
        if run_id is not None and self._listener is None:
            self._listener = Listener(self.deck.home, run_id, self)

    def _draw(self) -> None:
        found = self.talk
        if found is None or not self.is_attached:
            return
        summary = summary_line(found, self.now_ms, self._width)
        self._title.show([title_line(found, self.now_ms, self._width, self.trail), summary])
        self._draw_bar()
        self.table.styles.height = self._list_height or "1fr"
        sent = self.bar.sent[1] if self.bar.sent is not None else None
        text = sections(found, self._rows, self._told, sent, self._width, self.now_ms, self.deck.zone)
        self.reader.show(text, self._width, follow=True)

    def _draw_bar(self) -> None:
        run = self.talk.open if self.talk is not None else None
        told = self._told.get(run.id) if run is not None else None
        room = self.size.height - _AROUND - _TEXT_LEAST - self._list_height
        self.bar.draw(told.tokens if told else None, (self._width, room), self.now_ms, self.deck.zone)

    def _cells(self, row: Entry) -> tuple[Cell, ...]:
        return tuple(timeline.cells(row, self.now_ms, self.deck.zone))
