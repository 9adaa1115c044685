"""What have the pages of declared things in common? They are about one entry of the configuration, and lead to it."""

from collections.abc import Callable
from typing import Any, ClassVar

from tui.panes.messages import EditorAsked, SheetAsked, ask
from tui.reading import changes
from tui.reading.snapshot import Gone, Reading
from tui.screens.screen import DeckScreen
from tui.theme import Palette, Tone
from tui.widgets.flash import Flash

_EVERY_MS = 60_000


class EntryPage(DeckScreen):
    """A page about `[SECTION.about]`, read again whenever somebody commits."""

    DEFAULT_CSS = """
    EntryPage { padding: 0 1; }
    EntryPage > .-said { height: 1; }
    """
    SECTION: ClassVar[str]

    def __init__(self, palette: Palette, name: str) -> None:
        super().__init__(palette)
        self.about = name
        self.said = Flash(palette)

    def reading(self) -> Callable[[Reading], Any]:
        """How the page is read."""
        raise NotImplementedError

    def draw(self) -> None:
        """Show what was read last, where there is any."""
        raise NotImplementedError

    def on_screen_resume(self) -> None:
        self.deck.feed.watch(self.reading(), _EVERY_MS)

    def on_resize(self) -> None:
        super().on_resize()
        self.draw()

    def take(self, change: changes.Change) -> None:
        match change:
            case changes.DetailChanged(Gone(line)):
                self.said.stand(((line, "warn"),))
            case _:
                pass

    def tick(self, now_ms: int) -> None:
        super().tick(now_ms)
        self.draw()

    def flash(self, line: str, tone: Tone = "text") -> None:
        self.said.flash(line, tone)

    async def action_edit(self) -> None:
        await ask(self.app, SheetAsked(self.SECTION, self.about))

    def action_editor(self) -> None:
        self.post_message(EditorAsked(entry=(self.SECTION, self.about)))

    def action_back(self) -> None:
        self.deck.feed.unwatch()
        self.dismiss()
