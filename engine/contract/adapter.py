"""How does the engine speak to an agent or a model? What every adapter is, whatever it adapts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from engine.contract.launch import AdapterRequest, AdapterResult, Launch, RunUsage, Wanted
from engine.contract.progress import Progress


class Reader(Protocol):
    """Follows the output of one run, or of one turn of a held client, in its folder."""

    @property
    def usage(self) -> RunUsage | None:
        """What it has told of its usage so far; None when nothing."""

    @property
    def turns(self) -> int:
        """How often it has asked its model so far, as far as that is told."""

    @property
    def offset(self) -> int:
        """How far into the output it has read: where a next turn begins."""

    def poll(self) -> Sequence[Progress] | None:
        """What has been told since the last look, a bounded step of it; None when nothing new is there."""

    def result(self, exit_code: int | None) -> AdapterResult:
        """What all of it means, once it has ended (`poll` need not have been called); `exit_code` is None when it
        ended by a signal."""


class Speech(Protocol):
    """How one speaks to a program while it runs: what to write to its input."""

    def message(self, text: str) -> bytes:
        """One more message, when it waits for one."""

    def answer(self, asked: str, allow: bool, why: str = "") -> bytes:
        """The answer to what it asks, by the id of the request."""

    def interrupt(self) -> bytes:
        """Leave this turn, and stay for the next one."""


class Adapter(Protocol):
    """One way to speak to an agent or a model: a launch becomes an argv, output becomes progress and a result."""

    name: str
    free: bool
    """Whether its runs cost no money."""
    source: str | None
    """Whose logs tell what its runs use, by the name of that source; None: only the runs themselves do."""
    provider: str
    """Who serves its models, for prices; empty where that is not known."""
    key_env: str | None
    """The variable in which its child expects a key."""
    speech: Speech | None
    """None: it can only be started and ended."""

    def resumes(self, argv_resume: tuple[str, ...]) -> bool:
        """Whether a conversation can be continued at all, by an agent that declares this."""

    def lacks(self, wanted: Wanted) -> tuple[str, str]:
        """Why it cannot be started, and what to do; empty when it can. Looks at files and PATH, asks no server for
        long."""

    def overhead_tokens(self, wanted: Wanted) -> int:
        """What it sends beside our prompt with each request, as measured; 0 where that is not known."""

    def launch(self, request: AdapterRequest) -> Launch:
        """The child to start for this request. Raises Refused."""

    def reader(self, folder: Path, start: int = 0) -> Reader:
        """Follow the run in this folder, from this offset of its output on."""
