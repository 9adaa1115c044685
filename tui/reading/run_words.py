"""What do a run's page and `qd run show` say in the same words? What it asked, and where it went too far."""

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from engine.admission.words import dollars
from engine.runtime.caps import caps_of
from state.runs import Run
from tui.text import plural


class Over(Struct, frozen=True):
    """A limit of a run's own that it went over."""

    unit: str
    """`turns`, `tokens` or `microusd`."""
    used: int
    limit: int


def over_cap(run: Run) -> Over | None:
    """The first of its own limits that it is over: its last answer can use more than was left."""
    caps = caps_of(run)
    used = (("turns", run.turns or 0), ("tokens", run.used_tokens), ("microusd", run.used_microusd))
    limits = [(unit, number, getattr(caps, unit)) for unit, number in used]
    return next((Over(*one) for one in limits if one[2] is not None and one[1] > one[2]), None)


def over_words(over: Over) -> str:
    """`used 5,120 of 4,000 tokens`."""
    if over.unit == "microusd":
        return f"cost {dollars(over.used)} of {dollars(over.limit)}"
    said = f"{over.used:,} of {over.limit:,}"
    thing = "token" if over.unit == "tokens" else "answer"
    many = f"{said} {thing}{'' if over.limit == 1 else 's'}"
    return f"used {many}" if over.unit == "tokens" else f"had {many} of its model"


def answers_words(turns: int | None) -> str:
    """How many answers its model gave, which is what is counted: a request that got none may have been tried often.
    Nothing where there were none, or where that is not known."""
    return f"{plural(turns, 'answer')} of its model" if turns else ""


def questions_words(states: Iterable[str]) -> str:
    """`asked you 5 times: 3 approved, 2 denied`: what its program asked while it worked, whatever became of that."""
    counts = Counter(states)
    if not counts:
        return ""
    became = ", ".join(f"{number:,} {state}" for state, number in counts.items())
    return f"asked you {plural(counts.total(), 'time')}: {became}"
