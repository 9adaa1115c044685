"""In which order do keys act that come in one go? As they were typed, each on what the one before it has opened.

Keys of actions that come first are acted on in the app, while letters wait for their line to take them. Over a slow
link several come at once, and tab must not overtake what was typed before it. Textual looks at the next key while what
the last one asked for is still on its way: `r`, `x`, enter would ask about a reset and stop a run. Hence a key waits
until all that the key before it has sent around has arrived, and until a dialog that is read for is on screen.
"""

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING

from textual import events
from textual.message import Message
from textual.widget import Widget

from tui import actions

if TYPE_CHECKING:
    from tui.console.app import Console

TAKEN_S = 1.0
"""How long a key waits for the letters before it."""
LOOK_S = 0.1
"""How often a key that waits looks whether what it waits for has gone."""
COMES_S = 2.0
"""How long keys wait for a dialog; those that came until then are dropped."""
MOST_HELD = 1024
"""Keys that wait; more were pasted, and are dropped."""
AT_ONCE = ("ctrl+c", "ctrl+q", "ctrl+z")
"""Keys that wait for nothing."""
_SENTENCES = ("sheet", "spawn", "talk", "confirm", "prompt")
ALONE = frozenset(
    action.id
    for action in actions.ACTIONS
    if action.writes and not (action.dangerous or action.first) and not set(action.where) & set(_SENTENCES)
)
"""Actions that have an effect without a question or a sheet in between: not by a key that came in one go with others,
as of a text that was pasted where the terminal does not say so."""


WRITING = frozenset(action.id for action in actions.ACTIONS if action.writes and "confirm" not in action.where)


ON_A_ROW = frozenset(
    action.id for action in actions.ACTIONS if action.id in ALONE and not {"app", "overview"} & set(action.where)
)
"""Those of them that are about the row under the cursor."""


class KeyTaken(Message):
    """Sent after a key, the same way round: when it arrives, so has all that the key has sent."""

    verbose = True


async def letters_taken(line: Widget) -> None:
    """Return when the line has taken every key that was sent to it by now."""
    taken = asyncio.Event()
    if line.call_later(taken.set):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(taken.wait(), TAKEN_S)


class InOrder:
    """The keys that wait for those before them; belongs to the app, and lives on its thread."""

    def __init__(self, app: "Console") -> None:
        self._app = app
        self._held: deque[events.Key] = deque()
        self._due: events.Key | None = None
        """Of those that waited, the one whose turn it is."""
        self._rounds = 0
        """How often what follows the last key has still to come round: its messages, then those of its action."""
        self._target: Widget | None = None
        self._comes = 0
        """Number of the dialog that is awaited; 0 without one."""
        self._asked = 0

    @property
    def in_one_go(self) -> bool:
        """Whether the key that acts now came together with others."""
        return self._due is not None or bool(self._held)

    @property
    def busy(self) -> bool:
        """Whether the key before is not done with. Once another screen is up, it is."""
        target = self._target
        here = target is not None and target.is_attached and target.screen is self._app.screen
        return bool(self._comes) or (self._rounds > 0 and here)

    def holds(self, event: events.Key) -> bool:
        """Whether this key has to wait."""
        if event is self._due:
            return False
        if event.key in AT_ONCE:
            self._held.clear()
        if not (self._held or self.busy) or event.key in AT_ONCE:
            self._due = None
            return False
        if not self._held:
            self._app.set_timer(LOOK_S, self._look)
        if len(self._held) < MOST_HELD:
            self._held.append(event)
        return True

    def sent(self, event: events.Key, target: Widget | None, typing: bool) -> None:
        """A key is on its way. Letters in a line keep their order by themselves."""
        if target is None or (typing and event.is_printable):
            return
        self._target, self._rounds = target, 2
        target.post_message(KeyTaken())

    async def taken(self) -> None:
        """What followed the key has come round."""
        self._rounds = max(0, self._rounds - 1)
        if self._rounds and self._target is not None and self._target.post_message(KeyTaken()):
            return
        self._rounds, self._due = 0, None
        await self.go_on()

    async def go_on(self) -> None:
        """Let those act that have waited, one after the other."""
        while self._held and not self.busy:
            self._due = self._held.popleft()
            await self._app.on_event(self._due)

    def expect(self) -> int:
        """A dialog is read for, and will come up: keys wait for it. Returns its number, for `came`."""
        self._asked += 1
        number = self._comes = self._asked
        self._app.set_timer(COMES_S, lambda: self.came(number, opened=False))
        return number

    def came(self, number: int, *, opened: bool) -> None:
        """It is there: what was typed meanwhile goes to it. Or it will not come: that was meant for nothing else."""
        if number != self._comes:
            return
        self._comes = 0
        if not opened:
            self._held.clear()
        self._app.call_later(self.go_on)

    async def _look(self) -> None:
        await self.go_on()
        if self._held:
            self._app.set_timer(LOOK_S, self._look)
