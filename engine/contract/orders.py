"""What may a console ask of the engine? The body of each order, by its kind."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from engine.contract.route import Keep, Permissions, Read, SandboxMode

Trigger = Literal["operator", "timer", "assignment", "mention", "spawn", "rotation", "compaction", "recovery"]
Lane = Literal["main", "isolated"]
Id = Annotated[int, Meta(ge=1, le=2**63 - 1)]
"""Of a run, a session, a generation or a question: what the database can hold."""
Tokens = Annotated[int, Meta(ge=0, le=10**15)]
Dollars = Annotated[float, Meta(ge=0, le=10**9)]
Turns = Annotated[int, Meta(ge=1, le=10**6)]
Seconds = Annotated[float, Meta(ge=0, le=10**9)]
InstantMs = Annotated[int, Meta(ge=0, le=253_402_300_799_999)]
"""Up to the end of the year 9999."""


class RunRequest(Struct, frozen=True):
    """A run that somebody wants: the body of the orders `run` and `preview`, and what the schedule asks for.

    Paths are relative to the workspace. `None` means: as the next level declares it (`engine.contract.route`).
    """

    workspace: str
    agent: str | None = None
    template: str | None = None
    params: dict[str, str] = {}
    """For the template."""
    task_type: str | None = None
    model: str | None = None
    lane: Lane | None = None
    task: str = ""
    inject: tuple[str, ...] | None = None
    tools: tuple[str, ...] | None = None
    fallback: tuple[str, ...] | None = None
    keep: tuple[Keep, ...] | None = None
    permissions: Permissions | None = None
    sandbox: SandboxMode | None = None
    read: Read | None = None
    skills: str | None = None
    can_read: tuple[str, ...] = ()
    """When given, injected files must lie within these."""
    can_write: tuple[str, ...] = ()
    timeout_s: Seconds | None = None
    grace_s: Seconds | None = None
    silence_s: Seconds | None = None
    injected_tokens: Tokens | None = None
    run_tokens: Tokens | None = None
    run_usd: Dollars | None = None
    stop_turns: Turns | None = None
    stop_tokens: Tokens | None = None
    stop_usd: Dollars | None = None
    argv: tuple[str, ...] = ()
    """For the `command` adapter: instead of the agent's own."""
    trigger: Trigger = "operator"
    job: str | None = None
    slot_due_ms: InstantMs | None = None
    session_id: Id | None = None
    """Run in this session instead of the agent's own; its agent must be the same."""
    fork: bool = False
    """Not in that session itself, but in a new one that begins as a copy of its conversation."""
    parent_run_id: Id | None = None
    """The run that asks for this one."""
    wait: bool = False
    """When only a claim or a free place is missing: wait for it rather than be refused."""
    resumes_run_id: Id | None = None
    """The run that met its budget and that this one goes on with."""
    falls_back_from: Id | None = None
    """The run whose model could not be reached and that this one does again with the next."""
    attach: bool = False
    """Its agent's own program has the operator's terminal: nothing is sent to it, and it has no deadline."""


class ResetSession(Struct, frozen=True):
    """Order `reset`: start the session's next generation."""

    session_id: Id
    seen_generation_id: Id | None
    """The generation that the operator was looking at; another one by now means that the order is stale."""
    note: str


class StopRun(Struct, frozen=True):
    """Order `stop`: end a live run."""

    run_id: Id


class FireJob(Struct, frozen=True):
    """Order `fire`: run a job now, beside its schedule."""

    job: str
    seen_run_id: int | None = None
    """The newest run that the operator was shown, of whatever: a later one of this job makes the order stale."""


class Attach(Struct, frozen=True):
    """Order `attach`: admit a run in which the operator works in the agent's own program, on this session. Its folder
    is prepared; who asked starts it there, on a terminal."""

    session_id: Id


class Interrupt(Struct, frozen=True):
    """Order `interrupt`: ask a live run to leave its turn; where its program cannot, the run is ended."""

    run_id: Id


class Decide(Struct, frozen=True):
    """Order `decide`: the operator's word on something that waits for it."""

    approval_id: Id
    approve: bool
    sha256: str
    """Of the question as it was shown: the answer to another one is not an answer to this."""


class AllowSkill(Struct, frozen=True):
    """Order `allow_skill`: let a skill be used as it is now."""

    name: str
    path: str
    """The SKILL.md, absolute."""
    sha256: str
    """As it was shown."""


class Nothing(Struct, frozen=True):
    """The body of orders that need none: `reload`, `catch_up`, `shutdown`, `handover`."""


class Undo(Struct, frozen=True):
    """Order `undo`: take back the newest act of the operator that stands."""

    entry_id: Id | None = None
    """The act that the operator was looking at; another one by now means that the order is stale."""
    skip: bool = False
    """Go past those that cannot be taken back any more."""


class EditedEntry(Struct, frozen=True):
    """One `[section.name]` of the configuration, as an edit has left it."""

    section: str
    name: str
    sha256: str
    """Of its own lines; of none, where it was taken out. What it said before is in the text before."""


class Edited(Struct, frozen=True):
    """Order `edited`: the operator has edited the configuration; let it be known how to take that back."""

    verb: str
    subject: str
    before: str | None
    """The whole text before; None when there was no file."""
    after_sha256: str
    entries: tuple[EditedEntry, ...] = ()
    """Those that the edit has changed; of a whole file that is new, none."""


class Preview(Struct, frozen=True):
    """A question that is never recorded: what would the verdict be? The newest of each console wins."""

    token: str
    request: RunRequest


class PreviewAnswer(Struct, frozen=True):
    """The answer to the preview with this token. JSON of a Verdict and of a ReceiptView."""

    token: str
    verdict: str
    receipt: str
    error: str = ""
    """Why there is no verdict at all, in one line."""
