"""How is a live run told on a terminal: its answer as it comes on standard output, all else on standard error?"""

import sys
import time
from collections.abc import Callable

from engine.contract.progress import Noted, Progress, Said, ToolDone, ToolUse
from state import runs
from state.database import Connection
from state.home import Home
from tui.cli.awaiting import Watch
from tui.cli.output import Live

STEP_S = 0.05
_WIDE = 200
_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"


class Teller:
    """Prints what a run tells. `quiet`: only remembers."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.said = False
        """Whether it has answered anything yet."""
        self._quiet = quiet
        self._mid_line = False

    def tell(self, told: Progress) -> None:
        match told:
            case Said(text=text) if text:
                self._say(text)
            case ToolUse():
                self.remark(f"{told.tool}  {told.what}")
            case ToolDone(ok=False):
                self.remark(f"failed: {told.what}")
            case Noted():
                self.remark(f"{told.kind}: {told.text}")

    def remark(self, text: str) -> None:
        """One line beside the answer."""
        from tui.clean import clean

        if self._quiet:
            return
        self.end_line()
        line = clean(text.strip().partition("\n")[0], _WIDE)
        print(f"{_DIM}{line}{_PLAIN}" if sys.stderr.isatty() else line, file=sys.stderr, flush=True)

    def end_line(self) -> None:
        """What comes next begins a line of its own."""
        if self._mid_line:
            print(flush=True)
            self._mid_line = False

    def _say(self, text: str) -> None:
        self.said = True
        if self._quiet:
            return
        print(shown(text), end="", flush=True)
        self._mid_line = not text.endswith("\n")


def shown(text: str) -> str:
    """As it is for a program that reads it; for a terminal without what that would obey."""
    if not sys.stdout.isatty():
        return text.encode(errors="replace").decode()
    from tui.clean import clean

    return "\n".join(clean(line, len(line) + 1) for line in text.expandtabs(4).split("\n"))


def follow(
    home: Home,
    connection: Connection,
    run_id: int,
    tell: Callable[[Progress], None],
    each: Callable[[], None] = lambda: None,
) -> runs.Run:
    """The run once it has ended, and all that it told until then. `each` is done at every look.

    Raises EngineUnavailable when the engine is gone and none can be started: the run itself goes on.
    """
    live = Live(home)
    with Watch(home, connection) as watch:
        while True:
            run = watch.look(run_id)  # before what it told: the last of that is there when it has ended
            for told in live.told(run):
                tell(told)
            if not run.open:
                return run
            each()
            time.sleep(STEP_S)
