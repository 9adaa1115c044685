"""What can the feed find changed? One small past-tense message each, with all that the panes need to show it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from typing import TYPE_CHECKING, Any

from textual.message import Message

from state.events import Event, Notice
from state.runs import Run
from tui.reading.asked import Asked
from tui.reading.details import RunDetail
from tui.reading.snapshot import Gone
from tui.reading.talks import Talk
from tui.reading.views import BudgetBoard, EngineStatus, SessionBoard, SkillBoard, Spend

if TYPE_CHECKING:
    from tui.reading.budget_page import BudgetPage
    from tui.reading.event_log import EventLog
    from tui.reading.job_page import JobPage
    from tui.reading.live_usage import LiveUsage


@dataclass
class SessionsChanged(Message):
    board: SessionBoard


@dataclass
class JobsChanged(Message):
    rows: tuple[Any, ...]


@dataclass
class BudgetsChanged(Message):
    board: BudgetBoard


@dataclass
class SkillsChanged(Message):
    board: SkillBoard


@dataclass
class InboxChanged(Message):
    """What waits for the operator's word, oldest first."""

    rows: tuple[Asked, ...]


@dataclass
class RunsChanged(Message):
    rows: tuple[Run, ...]


@dataclass
class EventsChanged(Message):
    rows: tuple[Event, ...]


@dataclass
class NoticesChanged(Message):
    rows: tuple[Notice, ...]


@dataclass
class SpendChanged(Message):
    spend: Spend


@dataclass
class HeaderChanged(Message):
    engine: EngineStatus


@dataclass
class ConfigChanged(Message):
    """The configuration in force is another one."""

    config: Any
    zone: tzinfo | None


@dataclass
class DetailChanged(Message):
    """What a detail screen asked for with `watch`."""

    detail: "RunDetail | Talk | JobPage | BudgetPage | LiveUsage | EventLog | Gone"


@dataclass
class AskedOnce(Message):
    """The answer to a single question, for whoever asked it."""

    value: Any
    done: Callable[[Any], None]


@dataclass
class StateUnreadable(Message):
    """The database is there and cannot be read; an empty line when it can again."""

    line: str


Change = (
    SessionsChanged
    | JobsChanged
    | BudgetsChanged
    | SkillsChanged
    | InboxChanged
    | RunsChanged
    | EventsChanged
    | NoticesChanged
    | SpendChanged
    | HeaderChanged
    | ConfigChanged
    | DetailChanged
    | StateUnreadable
)
