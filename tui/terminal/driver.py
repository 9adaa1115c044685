"""How does the console take the terminal, and how does it give it back as it was?

Only what is used is switched on: no motion of the pointer, no focus reports, no sizes in the stream. Each thing that is
switched on stands in one table beside what switches it off.
"""

import os
import re
import select
import signal
import termios
import tty
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Thread
from typing import NamedTuple

from textual import events
from textual._ansi_sequences import SYNC_END, SYNC_START
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size

from tui.terminal.blanks import erases_in_colour, shortened
from tui.terminal.keyboard import Keyboard
from tui.terminal.pen import thrifty
from tui.terminal.writer import Writer, open_again

PATIENCE_S = 1.0
"""How long a terminal that is given back may take to read what is left."""
LAST_WORD_S = 0.1
SIMPLE = ("linux", "vt")
"""Terminals that may print what they do not know; by the beginning of their names."""
_RESTS = re.compile(r"\x1b\[[0-9]+;[0-9]+H\Z")
_CANCEL = "\x18\x1b[?2026l"
"""Ends whatever sequence the terminal is in the middle of, and the frame that it may be holding back."""


class CaughtUp(events.Event):
    """The terminal had stopped reading, and has now read everything."""


class TerminalGone(events.Event):
    """There is no terminal any more."""


class Mode(NamedTuple):
    """What one thing is switched on and off with."""

    on: str
    off: str


SCREEN = Mode("\x1b[?1049h", "\x1b[H\x1b[J\x1b[?1049l")
"""Erased before it is left: where there is only one screen, as in GNU screen, the picture would stay."""
CURSOR = Mode("\x1b[?25l", "\x1b[?25h")
WRAP = Mode("\x1b[?7l", "\x1b[?7h")
PASTE = Mode("\x1b[?2004h", "\x1b[?2004l")
POINTER = Mode("\x1b[?1000h\x1b[?1006h", "\x1b[?1006l\x1b[?1000l")
"""Buttons and the wheel, in decimal."""
KEYS = Mode("\x1b[>25u", "\x1b[<u")
"""Keys by the kitty protocol: escape is told from what begins with it, without waiting."""
STYLE = Mode("", "\x1b[0m")


def modes(mouse: bool, simple: bool) -> tuple[Mode, ...]:
    """What is switched on, in this order; it is switched off from the end."""
    return (SCREEN, STYLE, CURSOR, WRAP, PASTE, *((POINTER,) if mouse else ()), *(() if simple else (KEYS,)))


def is_simple(environ: Mapping[str, str]) -> bool:
    """Whether this terminal is asked for nothing that came after the VT220."""
    return environ.get("TERM", "").startswith(SIMPLE)


def points(environ: Mapping[str, str]) -> bool:
    """Whether the pointer can be asked for. Where it is, GNU screen keeps an escape back until the next key."""
    return not environ.get("STY")


class Terminal(LinuxDriver):
    """The terminal that we were started in."""

    out: Writer | None = None
    """None while the terminal is not ours."""
    _modes: tuple[Mode, ...] = ()
    """What is switched on."""
    _keyboard: Keyboard | None = None
    _simple = True
    _in_colour = False
    _begun = False
    """Whether the next thing that is painted begins a frame."""
    _resting = ""
    """The move to where the cursor is between two frames."""

    @property
    def behind(self) -> bool:
        return self.out is not None and self.out.behind

    @property
    def hung_up(self) -> bool:
        """Whether the other end has gone: that is told once by a signal, and not to everybody."""
        look = select.poll()
        look.register(self.fileno, 0)
        return any(told & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, told in look.poll(0))

    def write(self, data: str) -> None:
        """A frame comes as its beginning, what it paints and where the cursor rests, and its end. Of one that paints
        nothing, nothing is sent."""
        if data == SYNC_START:
            self._begun = True
        elif self.out is not None and not (data == self._resting or (data == SYNC_END and self._begun)):
            sent = thrifty(data if self._simple else shortened(data, self._in_colour))
            self.out.write(SYNC_START + sent if self._begun else sent)
            self._begun, rests = False, _RESTS.search(data)
            self._resting = rests[0] if rests else self._resting

    def flush(self) -> None:
        if self.out is not None:
            self.out.flush()

    def start_application_mode(self) -> None:
        self.attrs_before = termios.tcgetattr(self.fileno)
        termios.tcsetattr(self.fileno, termios.TCSANOW, self._raw(self.fileno))
        self.out = Writer(open_again(self.fileno), self._loop, self._caught_up, self._lost)
        self._simple, self._in_colour = is_simple(os.environ), erases_in_colour(os.environ)
        self._begun, self._resting = False, ""
        self._modes = modes(self._mouse and points(os.environ), self._simple)
        self.write("".join(mode.on for mode in self._modes))
        signal.signal(signal.SIGWINCH, lambda *_: self._soon(self._tell_size))
        signal.signal(signal.SIGTSTP, lambda *_: self._soon(self.put_aside))
        signal.signal(signal.SIGCONT, lambda *_: self._soon(self.come_back))
        self._tell_size()
        self._keyboard = Keyboard(self.fileno)
        self._key_thread = Thread(target=self._run_input_thread, name="keys", daemon=True)
        self._key_thread.start()
        if not self._simple:
            self._request_terminal_sync_mode_support()
        self.flush()
        self._caught_up()  # a frame that it had not read when it was given away, nobody waits for any more

    def stop_application_mode(self) -> None:
        """Give it back. One that reads nothing is given a moment; then what is left to paint is thrown away."""
        if self.out is None or not self._modes:
            return
        self.disable_input()
        goodbye = "".join(mode.off for mode in reversed(self._modes))
        self._modes = ()
        self.out.write(goodbye)  # as it is: the end of a style may say nothing new, or all
        if not self.out.drain(PATIENCE_S):
            with suppress(termios.error):
                termios.tcflush(self.fileno, termios.TCOFLUSH)
            self.out.drop()
            self.out.write(_CANCEL + goodbye)
            self.out.drain(0)
        with suppress(termios.error):
            termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before or [])

    def close(self) -> None:
        """After the last word: a title may be given back even after the screen was."""
        if self.out is not None:
            self.out.drain(LAST_WORD_S)
            self.out.close()
            self.out = None

    def run_input_thread(self) -> None:
        try:
            if self._keyboard is not None:
                self._keyboard.listen(XTermParser(self._debug), self.process_message)
        except OSError:
            self._loop.call_soon_threadsafe(self._lost)

    def disable_input(self) -> None:
        keyboard, self._keyboard = self._keyboard, None
        if keyboard is not None:
            keyboard.end()
        super().disable_input()
        if keyboard is not None:
            keyboard.close()

    def put_aside(self) -> bool:
        """Stop, as ctrl+z stops a program, and go on when the shell says so. Returns whether we were stopped."""
        if not self._modes or not can_be_continued():
            return False
        self._app.app_suspend_signal.publish(self._app)
        self.suspend_application_mode()
        os.killpg(os.getpgrp(), signal.SIGSTOP)
        self.resume_application_mode()
        self.send_message(self.SignalResume())
        return True

    def come_back(self) -> None:
        """Somebody else had stopped us, and the shell has had the terminal since: nothing of it is known. In the
        background it is the shell's still, and we wait for it."""
        if not self._modes:
            return
        with suppress(OSError):
            if os.tcgetpgrp(self.fileno) == os.getpgrp():
                self._app.app_suspend_signal.publish(self._app)
                self.suspend_application_mode()
                self.resume_application_mode()
                self.send_message(self.SignalResume())
            elif can_be_continued():
                os.killpg(os.getpgrp(), signal.SIGSTOP)

    def _enable_mouse_pixels(self) -> None:
        """Cells are fine enough."""

    def _disable_mouse_support(self) -> None:
        """It is in the table."""

    @classmethod
    def _raw(cls, file: int) -> list[int | list[bytes | int]]:
        raw = termios.tcgetattr(file)
        raw[tty.LFLAG] = cls._patch_lflag(raw[tty.LFLAG])
        raw[tty.IFLAG] = cls._patch_iflag(raw[tty.IFLAG])
        raw[tty.CC][termios.VMIN] = 1
        return raw

    def _soon(self, act: Callable[[], object]) -> None:
        """A signal comes between any two steps: what it asks for is done between two rounds of the loop."""
        if self.out is not None:
            self._loop.call_soon_threadsafe(act)

    def _tell_size(self) -> None:
        """As the terminal itself says: COLUMNS would stay what it was."""
        if self.out is None:
            return
        with suppress(OSError):
            width, height = os.get_terminal_size(self.fileno)
            self._size = (width or 80, height or 24)
        size = Size(*(self._size or (80, 24)))
        self.send_message(events.Resize(size, size))

    def _caught_up(self) -> None:
        self.send_message(CaughtUp())

    def _lost(self) -> None:
        self.send_message(TerminalGone())


def can_be_continued() -> bool:
    """Whether there is a shell that would notice: who started our group of processes is in the same session, and in a
    group of its own."""
    group = os.getpgrp()
    try:
        with open(f"/proc/{group}/stat", "rb") as file:  # noqa: PTH123
            parent = int(file.read().rpartition(b")")[2].split()[1])
        return os.getsid(parent) == os.getsid(0) and os.getpgid(parent) != group
    except (OSError, ValueError, IndexError):
        return False
