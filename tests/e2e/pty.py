"""A terminal that is nothing but its bytes: a pty whose other end is read, or not, as a test wants it."""

import contextlib
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Mapping, Sequence

from rich.cells import cell_len

CONTROLLED = 'exec "$@" 0<>"$0" 1>&0 2>&0'
"""Who leads a session and opens a terminal is controlled by it from then on, as under a shell."""
SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|P[^\x1b]*\x1b\\|[=>78cDEHMNOZ])")
SGR = re.compile(rb"\x1b\[([0-9;:]*)m")
TOKEN = re.compile(SEQUENCE.pattern + rb"|[\r\n\x07]|[^\x1b\r\n\x07\x80-\xff]+|[\xc0-\xff][\x80-\xbf]+|[\x80-\xff]")
STEP = re.compile(rb"\x1b\[([0-9]+)([XC])")
MOVE = re.compile(rb"\x1b\[([0-9]+);([0-9]+)H")
MODE = re.compile(rb"\x1b\[(\?[0-9;]+[hl]|>[0-9]+u|<u)")


class Screen:
    """What an operator would see, as far as the console writes it: moves, lines and text."""

    def __init__(self) -> None:
        self._cells: dict[int, dict[int, str]] = {}
        self._x = self._y = self._read = 0

    def follow(self, written: bytearray) -> str:
        """The lines after all that has been written so far, but for a sequence that is not whole yet."""
        end = written.rfind(b"\x1b", max(self._read, len(written) - 64))
        if end < 0:
            end = len(written)
            while end > self._read and written[end - 1] >= 0x80:
                end -= 1
        for found in TOKEN.finditer(bytes(written[self._read : end])):
            self._take(found.group())
        self._read = end
        tail = SEQUENCE.sub(b"", bytes(written[end:])).decode("utf-8", "replace")
        lines = (self._cells[y] for y in sorted(self._cells))
        return "\n".join("".join(line.get(x, " ") for x in range(max(line, default=0) + 1)) for line in lines) + tail

    def _take(self, token: bytes) -> None:
        if moved := MOVE.fullmatch(token):
            self._y, self._x = int(moved[1]) - 1, int(moved[2]) - 1
        elif step := STEP.fullmatch(token):
            self._step(int(step[1]), erase=step[2] == b"X")
        elif token == b"\r":
            self._x = 0
        elif token == b"\n":
            self._y += 1
        elif token.startswith(b"\x1b[?1049"):
            self._cells.clear()
        elif token[0] not in (7, 27):
            for character in token.decode("utf-8", "replace"):
                self._cells.setdefault(self._y, {})[self._x] = character
                self._x += cell_len(character)

    def _step(self, by: int, erase: bool) -> None:
        """Erase so many cells, or go over them."""
        if erase:
            self._cells.setdefault(self._y, {}).update(dict.fromkeys(range(self._x, self._x + by), " "))
        else:
            self._x += by


class Pty:
    """One program in a terminal of its own."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], cwd: str, size: tuple[int, int] = (120, 34)):
        self.master, self.slave = os.openpty()
        self.resize(*size)
        self.found = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            ["sh", "-c", CONTROLLED, os.ttyname(self.slave), *argv],
            stdin=subprocess.DEVNULL,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )
        self.bytes = bytearray()
        self._screen = Screen()
        self.reads = threading.Event()
        self.reads.set()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def send(self, text: str) -> None:
        os.write(self.master, text.encode())

    @property
    def text(self) -> str:
        """Everything that was ever written, without escape sequences."""
        return SEQUENCE.sub(b"", bytes(self.bytes)).decode("utf-8", "replace")

    def wait_for(self, *texts: str, patience_s: float = 40.0) -> int:
        """Until these are on the screen; how much was written by then."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            length = len(self.bytes)
            screen = self._screen.follow(self.bytes)
            if all(text in screen for text in texts):
                return length
            time.sleep(0.01)
        raise AssertionError(f"never on screen: {texts}\n{screen}")

    def wait_end(self, patience_s: float = 20.0) -> int:
        """The exit code, once the program has ended and its last bytes are read."""
        code = self.process.wait(patience_s)
        self.settle()
        return code

    def settle(self) -> None:
        """Until what was written has been read."""
        while select.select([self.master], [], [], 0.05)[0] and self.reads.is_set() and self._reader.is_alive():
            time.sleep(0.01)

    def modes_left_on(self) -> list[str]:
        """What was switched on and never off again."""
        on: dict[str, bool] = {}
        for found in MODE.findall(bytes(self.bytes)):
            mode = found.decode()
            if mode[0] == "?":
                on.update({f"?{number}": mode[-1] == "h" for number in mode[1:-1].split(";")})
            else:
                on["keys"] = mode[0] == ">"
        hidden = {"?25": False, "?7": False}
        return [name for name, is_on in on.items() if is_on == hidden.get(name, True)]

    def has_our_title(self) -> bool:
        """Whether the title that was kept on the terminal's stack has not come back."""
        return bytes(self.bytes).count(b"\x1b[22;2t") != bytes(self.bytes).count(b"\x1b[23;2t")

    def asked_for(self) -> set[str]:
        """Every mode that was ever switched on."""
        found = {mode.decode() for mode in MODE.findall(bytes(self.bytes))}
        return {number for mode in found if mode[0] == "?" and mode[-1] == "h" for number in mode[1:-1].split(";")}

    def colors(self) -> set[int]:
        """Every colour parameter that was ever sent."""
        numbers = {int(number or 0) for found in SGR.findall(bytes(self.bytes)) for number in re.split(rb"[;:]", found)}
        return {number for number in numbers if 30 <= number <= 49 or 90 <= number <= 107}

    def hang_up(self) -> None:
        """The other end is gone, as when a connection is cut."""
        self.reads.clear()
        self._closed = True
        self._reader.join()
        os.close(self.slave)
        os.close(self.master)
        self.slave = self.master = -1

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGCONT)
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._closed = True
        self.reads.set()
        self._reader.join()
        for file in (self.master, self.slave):
            if file >= 0:
                os.close(file)

    _closed = False

    def _read(self) -> None:
        while not self._closed:
            if not self.reads.wait(0.05):
                continue
            if select.select([self.master], [], [], 0.05)[0]:
                try:
                    self.bytes += os.read(self.master, 65536)
                except OSError:
                    return
