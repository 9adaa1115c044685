"""What is every screen? It takes what the feed reads, says when it is too small, and ends in a line of keys."""

from datetime import tzinfo
from typing import TYPE_CHECKING, ClassVar, Protocol, cast

from textual import events
from textual.app import ComposeResult
from textual.message import Message
from textual.reactive import Reactive
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget

from state.home import Home
from tui import actions
from tui.actions import Context
from tui.actions.keymap import Keymap
from tui.places.crumbs import crumb_line
from tui.reading.changes import Change
from tui.theme import Palette, Tone
from tui.widgets.footer import KeyFooter
from tui.widgets.lines import Lines

if TYPE_CHECKING:
    from tui.link import Link
    from tui.reading.feed import Feed

MIN_WIDTH, MIN_HEIGHT = 60, 20
FRAME_S = 1 / 200
"""Between two frames, at least. What a key does comes in two: the title of the pane that it went to follows the rest.
With Textual's sixty a second, that would be 30 milliseconds later."""


class Deck(Protocol):
    """What a screen may ask of the console that it is shown by."""

    home: Home
    feed: "Feed"
    link: "Link"
    zone: tzinfo | None
    keymap: Keymap
    read_only: bool
    can_order: bool
    drafts: dict[str, dict[str, str]]
    """By sheet, what was typed in it and never written."""

    def tell(self, line: str, tone: Tone = "text") -> None:
        """Say something on the overview, which is there when the screen is gone."""

    def post_message(self, message: Message) -> bool:
        """Ask for something by a message."""


class DeckScreen(Screen[None]):
    """A screen of the console. Subclasses yield their body from `compose_body`."""

    DEFAULT_CSS = """
    DeckScreen { background: $background; }
    DeckScreen > .-crumbs { height: 1; }
    DeckScreen > .-too-small { display: none; width: 1fr; height: 1fr; }
    DeckScreen.-tiny > *, DeckScreen.-short > * { display: none; }
    DeckScreen.-tiny > .-too-small, DeckScreen.-short > .-too-small { display: block; }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (MIN_WIDTH, "-narrow"), (100, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (MIN_HEIGHT, "-tall")]

    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """Textual's own draws the whole screen anew when the keyboard moves; the widgets do what is needed."""

    CONTEXTS: ClassVar[tuple[Context, ...]] = ()

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.palette = palette
        self.now_ms = 0
        self._frames: Timer | None = None
        self.trail: tuple[str, ...] = ()
        """From where it was opened to itself, for the first line; none on the overview."""

    @property
    def _update_timer(self) -> Timer:
        """Textual's own, but for how often it comes round."""
        if self._frames is None:
            self._frames = self.set_interval(FRAME_S, self._on_timer_update, name="frames", pause=True)
        return self._frames

    @property
    def deck(self) -> Deck:
        """The app, by what a screen needs of it."""
        return cast("Deck", self.app)

    def compose(self) -> ComposeResult:
        yield TooSmall(self.palette, classes="-too-small")
        if self.trail:
            yield CrumbLine(self.palette, self.trail)
        yield from self.compose_body()
        yield KeyFooter(self.palette, classes="-footer")

    def compose_body(self) -> ComposeResult:
        """Everything between the top and the line of keys."""
        yield from ()

    def on_resize(self) -> None:
        self.call_after_refresh(self.refocus)

    def refocus(self) -> None:
        """What was hidden has lost the keyboard: give it back when there is room again."""
        if self.focused is None and self.is_current:
            self.focus_next()

    def take(self, change: Change) -> None:
        """The feed read something that differs."""

    def engine_came(self) -> None:
        """There is an engine (again): what it left unanswered can be asked anew."""

    def tick(self, now_ms: int) -> None:
        """A second has passed."""
        self.now_ms = now_ms

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return actions.permit(self.app, self.CONTEXTS, action)


class TooSmall(Lines):
    """Why nothing else is there, and how to leave."""

    def on_resize(self) -> None:
        leave = cast("Deck", self.app).keymap.named("leave")
        self.show([((f"too small: need {MIN_WIDTH}x{MIN_HEIGHT}; {leave} quits", "warn"),)])


class CrumbLine(Lines):
    """Where this is: the way from the overview to here."""

    def __init__(self, palette: Palette, trail: tuple[str, ...]) -> None:
        super().__init__(palette, classes="-crumbs")
        self._trail = trail

    def on_resize(self, event: events.Resize) -> None:
        self.show([crumb_line(self._trail, event.size.width)])
