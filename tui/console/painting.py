"""What does the console do about the terminal that it is in? It paints when it can be seen, in the colours that are
wanted, and gives the terminal back whatever ends it."""

import asyncio
import os
import signal
import traceback
from contextlib import ExitStack
from pathlib import Path

from rich.console import COLOR_SYSTEMS
from rich.text import Text
from textual.app import App
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.filter import LineFilter

from tui.clean import Colourless, Guard, clean_block
from tui.options import Options
from tui.terminal.ascii import AsciiOnly
from tui.terminal.driver import Terminal
from tui.terminal.themes import Wardrobe
from tui.theme import MONO, Palette, Tone

ENDING = (signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGXCPU)
"""Signals that end a program, and would leave the terminal as it is."""


class AtTerminal(App[int]):
    """The app as far as its terminal is concerned."""

    ALLOW_SELECT = False
    """It would take the pointer's motion; the terminal selects by itself, with shift or under `--no-mouse`."""
    palette: Palette

    def __init__(self, options: Options, folder: Path) -> None:
        """`folder` is where the configuration is, with the operator's own themes."""
        self.options = options
        self._wardrobe = Wardrobe(options, folder, os.environ)
        self._colourless = not options.color or self._wardrobe.look.theme.name == MONO
        self._first: list[LineFilter] = [Guard(), *([AsciiOnly()] if options.ascii else [])]
        self._last: list[LineFilter] = [Colourless()] if self._colourless else []
        self._held: ExitStack | None = None
        self._missed = False
        super().__init__()
        self.console._color_system = COLOR_SYSTEMS[self._wardrobe.depth]  # Rich asks COLORTERM alone
        self.no_color = self._colourless
        self.animation_level = "none"
        self.palette = self._wardrobe.look.palette
        self._wear()

    def flash(self, line: str, tone: Tone = "text") -> None:
        raise NotImplementedError

    def theme_problem(self, line: str) -> None:
        """Say what is wrong with the theme that was asked for; nothing, when the line is empty."""
        raise NotImplementedError

    @property
    def read_only(self) -> bool:
        return self.options.read_only

    def get_driver_class(self) -> type[Driver]:
        """Ours in a terminal; what the environment names elsewhere, as for a browser."""
        chosen = super().get_driver_class()
        return Terminal if chosen is LinuxDriver else chosen

    def get_line_filters(self) -> list[LineFilter]:
        """What keeps escapes off the wire comes first; what keeps colours off it, last: Textual's own answers to
        NO_COLOR are colours too."""
        return [*self._first, *super().get_line_filters(), *self._last]

    def on_load(self) -> None:
        """Before the terminal is taken, so that there is no moment in which it would not be given back."""
        loop = asyncio.get_running_loop()
        for number in ENDING:
            loop.add_signal_handler(number, self.exit, 0)
        # Not by the loop, which would hear of a key that was meant for a program that had the terminal.
        signal.signal(signal.SIGQUIT, lambda *_: loop.call_soon_threadsafe(self.exit, 0))

    def look_at_terminal(self) -> None:
        """With every tick: is it still there, and is the theme's file as it was?"""
        if isinstance(self._driver, Terminal) and self._driver.hung_up:
            self.exit(0)
        elif self._wardrobe.changed():
            self._wear()
            self.theme_problem(self._wardrobe.look.problem)

    def post_display_hook(self) -> None:
        """After each frame. While the terminal has not read it, nothing is painted: what changes meanwhile is painted
        as it is then, so that a slow link is never behind, and one that has stopped holds nothing up."""
        if self._held is not None:
            self._missed = True
        elif isinstance(self._driver, Terminal) and self._driver.behind:
            self._held = ExitStack()
            self._held.enter_context(self.batch_update())

    @property
    def seen(self) -> bool:
        """Whether what is painted is seen: not while the terminal does not read."""
        return self._held is None

    def _paint(self, held: ExitStack) -> None:
        """Go on painting, unless it is held back for another reason too."""
        held.close()
        if self.screen_stack:
            self.screen.check_idle()

    def on_caught_up(self) -> None:
        """Paint what has changed; all of it, if a frame was asked for that could not be painted, as after a resize."""
        if self._held is None:
            return
        held, self._held = self._held, None
        if self._missed:
            self._missed = False
            self.screen.refresh()
        self._paint(held)

    def on_terminal_gone(self) -> None:
        self.exit(0)

    def action_suspend_process(self) -> None:
        if not isinstance(self._driver, Terminal) or not self._driver.put_aside():
            self.flash("there is no shell here that could bring the console back", "warn")

    def on_driver_signal_resume(self) -> None:
        """The screen is empty after it was somebody else's."""
        self.screen.refresh()

    def _wear(self) -> None:
        look = self._wardrobe.look
        self.palette.become(look.palette)
        self.register_theme(look.theme)
        self.theme = look.theme.name

    def _set_pointer_shape(self, shape: str) -> None:
        """The pointer is the terminal's own."""

    def _fatal_error(self) -> None:
        """In place of Textual's: without the values of variables, which are other people's text, or secrets."""
        self.panic(Text("\n".join(clean_block(traceback.format_exc())), overflow="fold"))
