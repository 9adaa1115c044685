"""Resume the conversation or start afresh? One decision, with the reason that the run then carries."""

from typing import Literal

from msgspec import Struct

ReuseReason = Literal[
    "first_run",
    "same_conversation",
    "goes_on",
    "moved_on",
    "isolated_lane",
    "operator_reset",
    "assignment_changed",
    "workspace_changed",
    "model_changed",
    "cannot_resume",
    "resume_refused",
    "forked",
]
"""`same_conversation` and `goes_on` resume. `resume_refused` is found out by trying."""


class Standing(Struct, frozen=True):
    """What is known of the generation that a session stands in."""

    provider_id: str | None
    reason: str
    workspace: str | None
    model: str | None
    assignment: str | None


class Wanted(Struct, frozen=True):
    """What the run needs of its conversation."""

    lane: str
    workspace: str
    model: str | None
    assignment: str | None
    adapter_resumes: bool
    goes_on: bool = False
    """It takes up a run that was stopped in this conversation."""


class Reuse(Struct, frozen=True):
    """Whether the conversation is resumed, and why."""

    resume: bool
    reason: ReuseReason


def decide_reuse(standing: Standing | None, wanted: Wanted) -> Reuse:
    """A timer, like anyone else, resumes; only what is named here starts afresh.

    Throwing a conversation away on every timer wake was the dearest single habit in the published plan.
    """
    if wanted.lane == "isolated" and not wanted.goes_on:
        return Reuse(False, "isolated_lane")
    if standing is None:
        return Reuse(False, "first_run")
    if standing.provider_id is None:
        return Reuse(False, "operator_reset" if standing.reason == "operator_reset" else "first_run")
    if not wanted.adapter_resumes:
        return Reuse(False, "cannot_resume")
    if standing.workspace != wanted.workspace:
        return Reuse(False, "workspace_changed")
    if standing.model != wanted.model:
        return Reuse(False, "model_changed")
    if standing.assignment != wanted.assignment:
        return Reuse(False, "assignment_changed")
    return Reuse(True, "goes_on" if wanted.goes_on else "same_conversation")


WORDS: dict[str, str] = {
    "first_run": "fresh: the session's first run",
    "same_conversation": "resumed: same workspace, model and assignment",
    "goes_on": "resumed: it goes on where its budget stopped it",
    "moved_on": "fresh: the conversation it was stopped in has moved on",
    "isolated_lane": "fresh: isolated work always is",
    "operator_reset": "fresh: you reset the session",
    "assignment_changed": "fresh: its assignment changed",
    "workspace_changed": "fresh: another workspace",
    "model_changed": "fresh: another model",
    "cannot_resume": "fresh: this agent keeps no conversation",
    "resume_refused": "fresh: the provider no longer knew the conversation",
    "forked": "a copy of another conversation",
}
"""How a screen says it."""
