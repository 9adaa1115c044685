"""What has an agent said and done in a run? Its progress as lines on a screen, taken bit by bit as it comes."""

from engine.contract.progress import Noted, Progress, Said, ToolDone, ToolUse
from tui.clean import clean
from tui.theme import Tone
from tui.widgets.cells import Cell

MOST_LINES = 2000
"""Of a longer run the last ones; those before are dropped some at a time."""
DROPPED = 500
LONGEST = 4096
"""Characters of a line: a longer one is broken."""
INDENT = "  "


class Transcript:
    """Everything is cleaned here: nothing that an agent says is obeyed by the terminal."""

    def __init__(self) -> None:
        self.said = False
        """Whether it has answered anything yet."""
        self._lines: list[Cell] = []
        self._rest = ""
        """The line that is not ended yet."""
        self._dropped = False

    @property
    def lines(self) -> tuple[Cell, ...]:
        """All that is kept, and the line that is being written."""
        first: tuple[Cell, ...] = (_line("(what it said before is not shown)", "dim"),) if self._dropped else ()
        last = (_line(self._rest, "text"),) if self._rest else ()
        return (*first, *self._lines, *last)

    def take(self, told: Progress) -> None:
        match told:
            case Said(text=text):
                self._say(text)
            case ToolUse():
                self._remark(f"{told.tool}  {told.what}", "dim")
            case ToolDone(ok=False):
                self._remark(f"failed: {told.what}", "warn")
            case Noted():
                self._remark(f"{told.kind}: {told.text}", "warn")
            case _:
                pass

    def trouble(self, line: str) -> None:
        """What we could not read, in one line."""
        self._remark(line, "bad")

    def _say(self, text: str) -> None:
        self.said = self.said or bool(text.strip())
        *whole, self._rest = (self._rest + text).replace("\r\n", "\n").split("\n")
        for line in whole:
            self._add(line)
        while len(self._rest) > LONGEST:
            self._keep(_line(self._rest[:LONGEST], "text"))
            self._rest = self._rest[LONGEST:]

    def _add(self, line: str) -> None:
        for start in range(0, max(1, len(line)), LONGEST):
            self._keep(_line(line[start : start + LONGEST], "text"))

    def _remark(self, text: str, tone: Tone) -> None:
        """One line beside the answer."""
        if self._rest:
            self._add(self._rest)
            self._rest = ""
        self._keep(_line(text.strip().partition("\n")[0][:LONGEST], tone))

    def _keep(self, line: Cell) -> None:
        self._lines.append(line)
        if len(self._lines) > MOST_LINES:
            del self._lines[:DROPPED]
            self._dropped = True


def _line(text: str, tone: Tone) -> Cell:
    wide = text.expandtabs(4)
    return ((INDENT, "text"), (clean(wide, max(1, len(wide))), tone))
