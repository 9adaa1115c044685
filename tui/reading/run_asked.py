"""What was a run asked, in one line? Of the run as it is stored: what is cleaned for a screen is cut."""

import shlex

import msgspec
from msgspec import Struct

from state.runs import Run


class _Program(Struct, frozen=True):
    """Of a request: which program it named."""

    argv: tuple[str, ...] = ()


def asked_for(run: Run) -> str:
    """Its task; without one the program that it named, else what asked for it. Never what it said. Not cleaned."""
    return run.task or _program(run) or run.template or (f"job {run.job}" if run.job else "its agent's own program")


def with_task(run: Run) -> Run:
    """The run, with that where its task stands."""
    return run if run.task else msgspec.structs.replace(run, task=asked_for(run))


def _program(run: Run) -> str:
    try:
        told = msgspec.json.decode(run.request or "{}", type=_Program)
    except (msgspec.DecodeError, UnicodeError):
        return ""
    return shlex.join(told.argv) if told.argv else ""
