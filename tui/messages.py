"""What can happen that more than one room hears of? Tiny past-tense messages; private ones live with their widget."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from textual.message import Message

from engine.contract.orders import RunRequest
from engine.contract.verdict import ReceiptView, Verdict


@dataclass
class EngineCame(Message):
    """An engine runs and we are attached to it."""


@dataclass
class EngineGone(Message):
    """The engine that we were attached to is no more; another one is being started."""


@dataclass
class EngineFailed(Message):
    """No engine could be had: the console stays, but can only look until a later try succeeds."""

    line: str


@dataclass
class OrderAnswered(Message):
    """The engine carried an order out, or a change was written."""

    kind: str
    answer: Any
    done: Callable[[Any], None] | None = None
    """What the screen that asked wants to do about it."""


@dataclass
class OrderFailed(Message):
    """An order or a write was refused: one line, with the way out."""

    kind: str
    line: str
    failed: Callable[[str], None] | None = None


@dataclass
class VerdictCame(Message):
    """The engine's answer to what a sheet asked as the operator typed."""

    request: RunRequest
    verdict: Verdict | None
    receipt: ReceiptView | None
    line: str = ""
    """Why there is no verdict, when there is none."""


@dataclass
class CommandAnswered(Message):
    """What a `qd` verb printed that was typed after `:`."""

    line: str
    exit_code: int
    stdout: str
    stderr: str
