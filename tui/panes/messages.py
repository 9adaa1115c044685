"""What do panes and screens ask the app for? Each names the thing and nothing else; only the app acts."""

from dataclasses import dataclass
from typing import Any

from textual.message import Message


async def ask(app: Any, message: Message) -> None:
    """Have it done before the next key is looked at, so that this goes to what has been opened."""
    await app.carry_out(message)


@dataclass
class SessionOpened(Message):
    session_id: int


@dataclass
class RunOpened(Message):
    run_id: int


@dataclass
class JobOpened(Message):
    name: str


@dataclass
class BudgetOpened(Message):
    name: str


@dataclass
class ResetAsked(Message):
    session_id: int


@dataclass
class TalkAsked(Message):
    """The operator wants to say something in this session."""

    session_id: int


@dataclass
class AttachAsked(Message):
    """The agent's own program is to be opened on this session, in this terminal."""

    session_id: int


@dataclass
class InterruptAsked(Message):
    """A live run is to leave its turn."""

    run_id: int


@dataclass
class StopAsked(Message):
    run_id: int
    waits: bool = False
    """It has not started: it is withdrawn."""


@dataclass
class InboxAsked(Message):
    """What waits for the operator's word is to be shown."""


@dataclass
class UsageAsked(Message):
    """Who uses tokens is to be shown, live."""


@dataclass
class GoneAsked(Message):
    """What happened while no console was open is to be listed."""


@dataclass
class DecisionAsked(Message):
    """A question is to be answered, after a confirmation; `sha256` is that of what was shown."""

    approval_id: int
    approve: bool
    sha256: str
    title: str
    what: tuple[str, ...]
    said: str
    """Once it is done."""


@dataclass
class SkillOpened(Message):
    name: str
    path: str
    why: str
    """Why it must be allowed anew; empty when it need not."""


@dataclass
class SkillChoiceAsked(Message):
    """Several skills must be allowed anew: the operator says which one is looked at."""


@dataclass
class AllowAsked(Message):
    """A skill is to be allowed exactly as it was shown, after a confirmation."""

    name: str
    path: str
    sha256: str
    others: tuple[str, ...] = ()
    """Other held files of this name."""


@dataclass
class SpawnAsked(Message):
    pass


@dataclass
class JobFired(Message):
    job: str


@dataclass
class JobPaused(Message):
    """A job was paused, or let go on."""

    job: str
    enabled: bool


@dataclass
class SheetAsked(Message):
    """A declaration is to be written or edited; `name` is empty for a new one."""

    section: str
    name: str = ""


@dataclass
class AssignAsked(Message):
    skill_set: str


@dataclass
class DeleteAsked(Message):
    """A declaration is to go, after a confirmation."""

    section: str
    name: str


@dataclass
class LookedAtOnly(Message):
    """A key was pressed on what cannot be changed here; `line` says why."""

    line: str


@dataclass
class CopyAsked(Message):
    """A text is to go to the operator's clipboard. `again`: what the same key copies next; empty when nothing."""

    what: str
    text: str
    again: str = ""


@dataclass
class EditorAsked(Message):
    """A file is to be opened in the operator's own editor: the configuration at an entry, a skill's file, or a copy of
    a run's output. Just one of them is given."""

    entry: tuple[str, ...] = ()
    path: str = ""
    run_id: int | None = None


@dataclass
class ManyAsked(Message):
    """The same act is to be done with several things, after one confirmation that names them all."""

    act: str
    """`stop`, `reset`, `fire`, `pause`, `resume` or `delete`."""
    things: tuple[tuple[str, Any], ...]
    """What each is called, and its id; of a declaration its section and its name."""
    left_out: int = 0
    """Marked ones that it cannot be done with."""
