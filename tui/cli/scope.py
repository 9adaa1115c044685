"""`qd scope check`: would these two scopes get in each other's way? Needs neither engine nor state."""

import argparse
import sys
from pathlib import Path

import msgspec

from engine.scopes.conflict import PairVerdict, check_pair
from engine.scopes.reach import Mode
from engine.scopes.survey import Unresolvable
from state.errors import UsageError
from tui.cli.verb import Context, Output, Verb


class Side(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One scope, as it is typed."""

    mode: Mode
    scope: tuple[str, ...]


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is read from standard input."""

    a: Side
    b: Side


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workspace", metavar="DIR", help="the folder that both are told from (this one)")


def _check(context: Context) -> Output:
    workspace = Path(context.workspace())
    if not workspace.is_dir():
        raise UsageError(f"qd scope check: the workspace {workspace} is not a folder", "name one that exists")
    pair = _read()
    try:
        said = check_pair(workspace, pair.a.mode, pair.a.scope, pair.b.mode, pair.b.scope)
    except Unresolvable as error:
        raise UsageError(f"qd scope check: the workspace {workspace} {error}") from None
    return Output(msgspec.structs.asdict(said), "" if context.options.json else _text(said))


def _text(said: PairVerdict) -> str:
    from tui.clean import clean  # brings the screen with it, which a program that asks need not wait for

    return clean(f"{said.verdict}: {said.why}")


def _read() -> Pair:
    if sys.stdin.isatty():
        raise UsageError("qd scope check: it reads two scopes from standard input", "see: README.md")
    try:
        return msgspec.json.decode(sys.stdin.buffer.read(), type=Pair)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        form = '{"a": {"mode": "w", "scope": ["src"]}, "b": {"mode": "r", "scope": ["src/*.py"]}}'
        raise UsageError(f"qd scope check: standard input: {error}", f"give it like {form}") from None


CHECK = Verb(_arguments, _check)
