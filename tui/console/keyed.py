"""What does the console do about keys, beyond what Textual does? The operator's own, chords, the refresh rate, and a
word about keys that are not there because this console only looks."""

from textual import events
from textual.app import App
from textual.screen import ModalScreen
from textual.timer import Timer

from engine.config.console import ConsoleConfig
from tui.actions.keymap import Keymap, keymap
from tui.console import silent
from tui.options import Options
from tui.reading.feed import Feed
from tui.theme import Tone

RATES_S = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
"""What `+` and `-` go through: how often changes are looked for and painted, at most."""
TICK_S = 1.0
"""The one UI clock; slower where everything is."""


class Keyed(App[int]):
    """The app as far as keys are concerned."""

    feed: Feed
    options: Options
    keymap = Keymap()
    clock: Timer
    refresh_s: float
    _begun = ""
    """The first key of a chord, until the next one comes."""

    def flash(self, line: str, tone: Tone = "text") -> None:
        raise NotImplementedError

    def show_marks(self) -> None:
        """What the header says of this console may be something else now."""
        raise NotImplementedError

    def keymap_problems(self, lines: tuple[str, ...]) -> None:
        """Say what of the keymap does not hold; nothing, when there are no lines."""
        raise NotImplementedError

    def use_keys(self, console: ConsoleConfig) -> None:
        """From now on these keys hold."""
        found = keymap(console.keys, console.keymap)
        if found == self.keymap:
            return
        self.keymap = found
        self.set_keymap(found.for_textual())
        self.screen.refresh_bindings()
        self.keymap_problems(found.problems)

    def chorded(self, event: events.Key, typing: bool) -> events.Key | None:
        """The key as it is to be taken: both of a chord as one. None while the second one is awaited."""
        begun, self._begun = self._begun, ""
        chords = set() if typing or not self.keymap.chords else self.keymap.chords & set(self.screen.active_bindings)
        if begun and f"{begun} {event.key}" in chords:
            return events.Key(f"{begun} {event.key}", None)
        if any(chord.split()[0] == event.key for chord in chords):
            self._begun = event.key
            return None
        return event

    def explain(self, key: str) -> None:
        """A key that is for something here, and has nothing to do now: say why."""
        if isinstance(self.screen, ModalScreen):
            return
        nodes = [] if self.screen.focused is None else self.screen.focused.ancestors_with_self
        here = {"app", *getattr(self.screen, "CONTEXTS", ()), *(getattr(node, "CONTEXT", "") for node in nodes)}
        found = silent.meant(key, here, self.keymap.of)
        active = self.screen.active_bindings.get(key) if found else None
        if found and (active is None or not active.enabled) and (said := silent.line(self, found[0])):
            self.flash(said, "warn")

    def action_refresh(self, by: int) -> None:
        """The next rate, slower or faster."""
        at = min(range(len(RATES_S)), key=lambda number: abs(RATES_S[number] - self.refresh_s))
        self.refresh_every(RATES_S[max(0, min(at + by, len(RATES_S) - 1))])
        self.flash(f"changes are looked for every {say_rate(self.refresh_s)}")

    def refresh_every(self, every_s: float) -> None:
        """The feed and the one clock go by it from now on."""
        self.refresh_s = every_s
        self.feed.pace(every_s)
        self.wind()
        self.show_marks()

    def wind(self) -> None:
        """Have the clock go by the rate."""
        raise NotImplementedError


def say_rate(every_s: float) -> str:
    return f"{every_s:g} s" if every_s >= 1 else f"{round(every_s * 1000)} ms"
