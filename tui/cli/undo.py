"""`qd undo`: take back what was done last, as far as nobody has changed it since."""

import argparse

import msgspec

from engine.contract.clock import iso
from engine.contract.orders import Undo
from engine.runtime.client import Client
from engine.runtime.edits import unrecorded
from engine.runtime.undoing import undoable
from tui.cli.verb import Context, Output, Verb, local, no_arguments, table


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--skip", action="store_true", help="go past what cannot be taken back any more")


def _undo(context: Context) -> Output:
    client = Client(context.home)
    client.ensure()
    answer = msgspec.json.decode(client.order("undo", Undo(skip=context.options.skip)))
    passed = f"Gone past: {', '.join(answer['passed'])}. " if answer["passed"] else ""
    said = f"Undone: {answer['undone']}." if answer["undone"] else "Nothing else can be undone."
    return Output(answer, passed + said)


def _list(context: Context) -> Output:
    connection = context.reader()
    found = undoable(connection, context.home) if connection is not None else []
    waits = unrecorded(context.home)
    data = [
        {"id": one.id, "at": iso(one.at_ms), "act": one.said, "by": one.made_by, "why_not": one.why_not or None}
        for one in found
    ]
    rows = [(local(order.created_ms), said, order.made_by, "yes, once an engine runs") for order, said in waits]
    rows += [(local(one.at_ms), one.said, one.made_by, one.why_not or "yes") for one in found]
    text = table(("when", "act", "by", "can be undone"), rows) if rows else "Nothing to undo."
    left = [{"at": iso(order.created_ms), "act": said, "by": order.made_by} for order, said in waits]
    return Output({"acts": data, "unrecorded": left}, text)


UNDO = Verb(_arguments, _undo)
LIST = Verb(no_arguments, _list)
