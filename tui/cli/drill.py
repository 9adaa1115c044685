"""`qd drill`: trip every guard in front of the operator, in a throw-away workspace, and show what stopped it."""

import argparse
import contextlib
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Iterator, Sequence
from types import FrameType

import msgspec

from engine.proof.drill import DRILLS, Session, chosen
from engine.proof.trip import Drill, Proof
from tui.clean import clean
from tui.cli.verb import Context, Output, Verb, page

_WIDE = 100
"""Lines are no longer than this where nobody says how wide the page is."""


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "guard", nargs="*", metavar="GUARD", help=f"only these: {', '.join(DRILLS)}, or a drill by its name (all)"
    )
    parser.add_argument("--verbose", action="store_true", help="show the evidence of those that tripped, too")
    parser.add_argument("--keep", action="store_true", help="keep the workspace, its books and logs, and say where")


def _drill(context: Context) -> Output:
    options = context.options
    drills = chosen(options.guard)
    begun = time.monotonic()
    with _ended_by_signals(), Session(keep=options.keep) as session:
        if options.keep:  # now, so that it is known however this ends
            print(f"Everything is kept in {session.folder}", file=sys.stderr)
        proofs = list(session.run(drills) if options.json else _shown(session, drills, options.verbose))
    seconds = round(time.monotonic() - begun, 3)
    tripped = sum(proof.passed for proof in proofs)
    data = {
        "drills": [msgspec.to_builtins(proof) for proof in proofs],
        "tripped": tripped,
        "of": len(proofs),
        "seconds": seconds,
        "kept_in": str(session.folder) if options.keep else None,
    }
    return Output(data, f"\n{_sum(proofs, seconds)}", ok=tripped == len(proofs))


def _shown(session: Session, drills: Sequence[Drill], verbose: bool) -> Iterator[Proof]:
    """The same, each printed as it comes. Paths are shown from the temporary folder on."""
    width = max(len(drill.name) for drill in drills)
    for proof in session.run(drills):
        print("\n".join(_lines(proof, width, f"{session.folder}/", verbose)), flush=True)
        yield proof


def _sum(proofs: list[Proof], seconds: float) -> str:
    tripped = sum(proof.passed for proof in proofs)
    guards = len({guard for proof in proofs for guard in proof.proves})
    failed = [proof.name for proof in proofs if not proof.passed]
    told = f"; FAILED: {', '.join(failed)}" if failed else ""
    return f"{tripped} of {len(proofs)} drills tripped their guard ({guards} guards) in {seconds:.0f} s{told}"


def _lines(proof: Proof, width: int, folder: str, verbose: bool) -> Iterator[str]:
    """What was tried, and what stopped it; below, the evidence."""
    mark = "tripped" if proof.passed else "FAILED "
    yield from _hung(f"{proof.name.ljust(width)}  {mark}  ", proof.tried)
    indent = " " * (width + 2)
    below = [("", proof.stopped_by)]
    if not proof.passed:
        below = [("expected  ", proof.expected), ("instead   ", proof.instead)]
    below += [("- ", fact) for fact in proof.evidence if verbose]
    for head, text in below:
        yield from _hung(indent + head, text.replace(folder, ""))


def _hung(head: str, text: str) -> list[str]:
    """The text after its head; the lines that follow stand under its beginning."""
    width = max((page().width or _WIDE) - 1, len(head) + 20)
    indent = " " * len(head)
    return textwrap.wrap(clean(text), width, initial_indent=head, subsequent_indent=indent, break_on_hyphens=False)


_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _end(number: int, frame: FrameType | None) -> None:
    """The first one ends the drill; another must not end the cleaning up."""
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """A terminal that is closed, or a polite kill, lets the drill clean up as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _end) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


DRILL = Verb(_arguments, _drill)
