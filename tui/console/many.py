"""What is done with several things at once? The same order for each, one after the other; then it is said how many."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from engine.contract.orders import FireJob, ResetSession, StopRun
from state import sessions
from tui.reading.snapshot import Reading
from tui.text import plural

if TYPE_CHECKING:
    from tui.link import Link

MOST = 40
"""Things at once: as many as a dialog can name."""
NAME_CELLS = 24
WORDS: dict[str, tuple[str, str, str, str]] = {
    "stop": ("Stop or withdraw {}", "run", "asked to end", "What is live is asked to end, what waits is withdrawn."),
    "reset": (
        "Start {} afresh",
        "session",
        "fresh at the next run",
        "The next run starts a new generation; nothing is deleted.",
    ),
    "fire": ("Fire {} now", "job", "fired", "Each is asked for now, through the gate, beside its schedule."),
    "pause": ("Pause {}", "job", "paused", "Due times are noted and nothing runs."),
    "resume": ("Let {} go on", "job", "going on", "They run again when they are due."),
    "delete": ("Delete {}", "entry", "deleted", "Taken out of the configuration; what happened stays on record."),
}
"""By act: what is asked, of what, what is said afterwards, and what it means."""

Thing = tuple[str, Any]


class Many:
    """One act upon several things. `say` is told once, when the last answer has come."""

    def __init__(self, link: "Link", act: str, things: Sequence[Thing], say: Callable[[str, bool], None]) -> None:
        self._link, self._act, self._say = link, act, say
        self._left = list(things)
        self._number = len(things)
        self._failures: list[str] = []
        self._name = ""

    def go_on(self) -> None:
        """Order the next one, or say what became of all."""
        if not self._left:
            self._say(done_words(self._act, self._number, self._failures), not self._failures)
            return
        self._name, ref = self._left.pop(0)
        match self._act:
            case "stop":
                self._link.order("stop", StopRun(run_id=ref), self._done, self.failed)
            case "reset":
                session_id, generation_id = ref
                body = ResetSession(session_id=session_id, seen_generation_id=generation_id, note="")
                self._link.order("reset", body, self._done, self.failed)
            case "fire":
                self._link.order("fire", FireJob(job=ref), self._done, self.failed)
            case "pause" | "resume":
                values = {"enabled": self._act == "resume"}
                self._link.put_entry("job", ref, values, self._done, self.failed)
            case _:
                section, name = ref
                self._link.drop_entry(section, name, self._done, self.failed)

    def failed(self, line: str) -> None:
        self._failures.append(f"{self._name}: {line}")
        self.go_on()

    def _done(self, answer: Any) -> None:
        """What the gate refused was not done."""
        verdict = answer.get("verdict") if isinstance(answer, dict) else None
        if verdict and not verdict.get("ok", True) and not answer.get("waits_for"):
            why = "; ".join(check["why"] for check in verdict["checks"] if not check["ok"])
            self.failed(f"refused: {why}")
        else:
            self.go_on()


def done_words(act: str, number: int, failures: Sequence[str]) -> str:
    """`3 of 4 asked to end; run 12: it has ended`."""
    said = f"{number - len(failures)} of {number}" if failures else f"all {number}"
    more = f" and {len(failures) - 1} more" if len(failures) > 1 else ""
    return f"{said} {WORDS[act][2]}" + (f"; {failures[0]}{more}" if failures else "")


def question(act: str, things: Sequence[Thing], left_out: int) -> tuple[str, tuple[str, ...]]:
    """The title of the dialog, and its lines: what is meant, and every name."""
    title, noun, _, meaning = WORDS[act]
    names = ", ".join(name if len(name) <= NAME_CELLS else f"{name[: NAME_CELLS - 1]}…" for name, _ in things)
    rest = f"Of {left_out:,} more that are marked this cannot be done." if left_out else ""
    return f"{title.format(_plural(len(things), noun))}?", tuple(line for line in (names, meaning, rest) if line)


def _plural(number: int, noun: str) -> str:
    return plural(number, noun) if noun != "entry" else "1 entry" if number == 1 else f"{number} entries"


def seen_generations(things: Sequence[Thing]) -> Callable[[Reading], tuple[Thing, ...]]:
    """Each session with the generation that it stands in now: an order for another one by then is stale."""

    def read(reading: Reading) -> tuple[Thing, ...]:
        found = ((name, sessions.get(reading.connection, session_id)) for name, session_id in things)
        return tuple((name, (session.id, session.generation_id)) for name, session in found)

    return read
