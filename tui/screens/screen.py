"""What is every screen? It takes what the feed reads, says when it is too small, and ends in a line of keys."""

from datetime import tzinfo
from typing import TYPE_CHECKING, ClassVar, Protocol, cast

from textual.app import ComposeResult
from textual.message import Message
from textual.screen import Screen

from state.home import Home
from tui import actions
from tui.actions import Context
from tui.changes import Change
from tui.theme import Palette, Tone
from tui.widgets.footer import KeyFooter
from tui.widgets.lines import Lines

if TYPE_CHECKING:
    from tui.feed import Feed
    from tui.link import Link

MIN_WIDTH, MIN_HEIGHT = 60, 20


class Deck(Protocol):
    """What a screen may ask of the console that it is shown by."""

    home: Home
    feed: "Feed"
    link: "Link"
    zone: tzinfo | None

    def tell(self, line: str, tone: Tone = "text") -> None:
        """Say something on the overview, which is there when the screen is gone."""

    def post_message(self, message: Message) -> bool:
        """Ask for something by a message."""


class DeckScreen(Screen[None]):
    """A screen of the console. Subclasses yield their body from `compose_body`."""

    DEFAULT_CSS = """
    DeckScreen { background: $background; }
    DeckScreen > .-too-small { display: none; width: 1fr; height: 1fr; }
    DeckScreen.-tiny > *, DeckScreen.-short > * { display: none; }
    DeckScreen.-tiny > .-too-small, DeckScreen.-short > .-too-small { display: block; }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (MIN_WIDTH, "-narrow"), (100, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (MIN_HEIGHT, "-tall")]

    CONTEXTS: ClassVar[tuple[Context, ...]] = ()

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.palette = palette
        self.now_ms = 0

    @property
    def deck(self) -> Deck:
        """The app, by what a screen needs of it."""
        return cast("Deck", self.app)

    def compose(self) -> ComposeResult:
        line = f"too small: need {MIN_WIDTH}x{MIN_HEIGHT}; q quits"
        yield Lines(self.palette, [((line, "warn"),)], classes="-too-small")
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
