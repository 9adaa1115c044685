"""Which acts of the operator could be taken back, the newest first? Read as state, so that `u` is offered only when
there are any."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

from tui.clean import clean_record
from tui.reading.snapshot import Reading

if TYPE_CHECKING:
    from engine.runtime.undoing import Undoable

LOOKED_AT = 10
"""So far below the newest act one is looked for that can be taken back."""


@dataclass
class UndoChanged(Message):
    """Other acts can be taken back than before; the newest first."""

    acts: "tuple[Undoable, ...]"


def acts(reading: Reading) -> "tuple[Undoable, ...]":
    """What could be taken back, the newest first."""
    from engine.runtime.undoing import undoable

    return tuple(clean_record(one) for one in undoable(reading.connection, reading.home, LOOKED_AT))
