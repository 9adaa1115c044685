"""`qd approvals`, `qd approve`, `qd deny`: what waits for the operator's word. What is shown is what is answered."""

import argparse
import hashlib
import os
import shlex
from typing import Any

import msgspec

from engine.admission.words import dollars
from engine.contract.clock import iso
from engine.contract.orders import Decide
from engine.runtime.client import Client
from engine.runtime.questions import Question, Raise, read_permission, read_question
from state import approvals
from state.database import Connection
from state.errors import NotFound, Refused
from tui.cli.amounts import number
from tui.cli.answering import question_lines
from tui.cli.asking import needs_operator
from tui.cli.run_text import hung
from tui.cli.verb import Context, Output, Verb, fitted, local, no_arguments, page, table, times
from tui.text import plural

_ALLOWS_CHARS = 40
_TASK_CHARS = (40, 20, 8)
"""Of a task in the list, as many as fit."""


def _list(context: Context) -> Output:
    connection = context.reader()
    found = approvals.pending(connection) if connection else []
    views = [_view(asked) for asked in found]
    if not views:
        return Output({"approvals": []}, "Nothing waits for your word.")
    made = fitted((_list_table(found, views, most) for most in _TASK_CHARS), page().width)
    return Output({"approvals": views}, f"{made}\n\nqd approvals show ID tells all; qd approve ID, qd deny ID")


def _list_table(found: list[approvals.Approval], views: list[dict[str, Any]], most: int) -> str:
    from tui.clean import clean

    rows = [
        (
            asked.id,
            asked.run_id,
            view["question"]["agent"],
            clean(_allows(asked, view["question"]), _ALLOWS_CHARS),
            local(asked.expires_ms),
            clean(view["question"]["task"], most),
        )
        for asked, view in zip(found, views, strict=True)
    ]
    return table(("id", "run", "agent", "approving allows", "answer until", "task"), rows, right=(0, 1))


def _allows(asked: approvals.Approval, question: dict[str, Any]) -> str:
    """What more there would be of a budget, or what the program wants to do."""
    if asked.kind == "permission":
        return f"{question['tool']} {question['what']}".strip().partition("\n")[0]
    return ", ".join(f"{one['budget']} +{_amount(one['unit'], one['amount'])}" for one in question["raises"])


def _id_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("approval", type=number, help="its number, as qd approvals lists it")


def _show(context: Context) -> Output:
    asked = _asked(context)
    said = _permission_words(asked) if asked.kind == "permission" else _words(asked, read_question(asked.what))
    return Output(_view(asked), said)


def _decide(context: Context, approve: bool) -> Output:
    """The answer names the question by its hash, so that it is no answer to another one."""
    needs_operator(os.environ)
    asked = _asked(context)
    if asked.state != "open":
        raise Refused(f"approval {asked.id} is {asked.state} already", f"see: qd run show {asked.run_id}")
    client = Client(context.home)
    client.ensure()
    client.order("decide", Decide(asked.id, approve, _sha256(asked)))
    data = {"approval": asked.id, "run": asked.run_id, "approved": approve}
    if asked.kind == "permission":
        word = "may do that" if approve else "is told no, and goes on"
        return Output(data, f"Run {asked.run_id} {word}. See: qd run show {asked.run_id}")
    raises = read_question(asked.what).raises if approve else ()
    grants = f" Granted: {', '.join(map(_grant, raises))}." if raises else ""
    word = "approved" if approve else "denied"
    return Output(data, f"Run {asked.run_id} is {word}.{grants} See: qd run show {asked.run_id}")


def _asked(context: Context) -> approvals.Approval:
    connection: Connection | None = context.reader()
    if connection is None:
        raise NotFound(f"there is no approval {context.options.approval}", "see: qd approvals")
    return approvals.get(connection, context.options.approval)


def _sha256(asked: approvals.Approval) -> str:
    """Of the text that is stored now, whatever stands beside it."""
    return hashlib.sha256(asked.what.encode()).hexdigest()


def _view(asked: approvals.Approval) -> dict[str, Any]:
    return {
        "approval": asked.id,
        "kind": asked.kind,
        "run": asked.run_id,
        "state": asked.state,
        "asked_at": iso(asked.asked_ms),
        "expires_at": iso(asked.expires_ms),
        "decided_at": iso(asked.decided_ms),
        "question": _question(asked),
        "chars": len(asked.what),
        "sha256": _sha256(asked),
    }


def _question(asked: approvals.Approval) -> dict[str, Any]:
    """As plain values: each kind of question has its own keys."""
    if asked.kind == "permission":
        told: dict[str, Any] = msgspec.to_builtins(read_permission(asked.what))
        return told
    question: dict[str, Any] = msgspec.to_builtins(read_question(asked.what))
    return question | {"raises": [times(one) for one in question["raises"]]}


def _permission_words(asked: approvals.Approval) -> str:
    """The stored question, all of it: what an eye would miss is spelled out."""
    told = read_permission(asked.what)
    until = f"answer until {local(asked.expires_ms)}" if asked.state == "open" else asked.state
    head = (
        hung("", f"approval {asked.id}  run {told.run_id}  {until}"),
        hung("  agent      ", told.agent + (f", session {told.session_id}" if told.session_id else "")),
        hung("  workspace  ", told.workspace),
        *(hung("  task       " if n == 0 else " " * 13, line) for n, line in enumerate(told.task.split("\n"))),
    )
    foot = hung("  question   ", f"{len(asked.what):,} characters, sha256 {_sha256(asked)}")
    return "\n".join((*head, *(f"  {line}" for line in question_lines(told)), foot))


def _grant(one: Raise) -> str:
    return f"{_amount(one.unit, one.amount)} more in budget {one.budget}"


def _amount(unit: str, number: int) -> str:
    return dollars(number) if unit == "microusd" else plural(number, "token")


def _words(asked: approvals.Approval, question: Question) -> str:
    """The stored question, all of it."""
    high = f"at most {question.high_tokens:,}"
    if question.high_microusd:
        high += f", {dollars(question.high_microusd)}"
    asked_for = question.trigger + (f" of job {question.job}" if question.job else "")
    until = f"answer until {local(asked.expires_ms)}" if asked.state == "open" else asked.state
    lines = [
        hung("", f"approval {asked.id}  run {question.run_id}  {until}"),
        hung("  agent      ", f"{question.agent}, {question.task_type}, asked for by {asked_for}"),
        *(hung("  task       " if n == 0 else " " * 13, line) for n, line in enumerate(question.task.split("\n"))),
        *(hung(f"  {name:<11}", text) for name, text in _what(question) if text),
        hung("  may write  ", ", ".join(question.can_write) or "nothing"),
        hung("  expected   ", f"{plural(question.likely_tokens, 'token')}, {high}"),
        *(hung("  budget     ", _raise_words(one)) for one in question.raises),
        hung("  question   ", f"{len(asked.what):,} characters, sha256 {_sha256(asked)}"),
    ]
    return "\n".join(lines)


def _what(question: Question) -> list[tuple[str, str]]:
    """What would be started, and with what; where it says nothing of one there is no line."""
    return [
        ("goes on", f"with run {question.resumes_run_id}" if question.resumes_run_id else ""),
        ("workspace", question.workspace),
        ("program", shlex.join(question.argv)),
        ("model", question.model or ""),
        ("tools", "" if question.tools is None else ", ".join(question.tools) or "none"),
        ("skills", question.skills),
        ("inject", ", ".join(question.inject)),
    ]


def _raise_words(one: Raise) -> str:
    taken, need, limit = (_amount(one.unit, number) for number in (one.taken, one.need, one.limit))
    place = (
        "for this run" if one.window == "run" else f"in this window ({one.window}, since {local(one.window_start_ms)})"
    )
    grant = f"approving grants {_amount(one.unit, one.amount)} more {place}"
    return f"{one.budget}: {taken} taken + {need} needed of {limit}; {grant}"


LIST = Verb(no_arguments, _list)
SHOW = Verb(_id_argument, _show)
APPROVE = Verb(_id_argument, lambda context: _decide(context, True))
DENY = Verb(_id_argument, lambda context: _decide(context, False))
