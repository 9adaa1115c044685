"""Which letter orders a list by which of its columns? With shift; the letter stands in the column's title."""

from tui.actions.action import Action, Context

LETTERS: dict[Context, dict[str, str]] = {
    "sessions": {
        "S": "S",
        "agent": "A",
        "session": "O",
        "ctx": "X",
        "cache": "H",
        "tok/h": "K",
        "cost": "C",
        "spent": "P",
        "active": "T",
        "model": "M",
    },
    "jobs": {"S": "S", "job": "J", "next": "X", "tok/fire": "K", "agent": "A"},
    "budgets": {"budget": "B", "spent": "P", "limit": "M"},
    "skills": {"set": "S", "meta": "M", "body": "B"},
    "runs": {"outcome": "O", "what was asked": "W", "agent": "A", "est.": "S", "took": "T", "asked": "K"},
    "events": {"time": "M", "kind": "K", "run": "U", "job": "J"},
}
"""By pane and title."""

_MANY: dict[Context, str] = {
    "sessions": "sessions",
    "jobs": "jobs",
    "budgets": "budgets",
    "skills": "skill sets",
    "runs": "runs",
    "events": "events",
}
_WORDS = {
    "S": "state",
    "session": "title",
    "ctx": "how full their context is",
    "cache": "what came from the cache",
    "tok/h": "tokens of the last hour",
    "spent": "what is spent",
    "active": "when they were last active",
    "job": "job",
    "next": "when they are due",
    "tok/fire": "tokens of a fire",
    "budget": "name",
    "set": "name",
    "meta": "tokens of their descriptions",
    "body": "tokens of their texts",
    "what was asked": "task",
    "est.": "estimate",
    "took": "duration",
    "asked": "when they were asked for",
}
"""How a title reads in a sentence, where it is not a word of its own."""


def _by_letter() -> dict[str, dict[Context, str]]:
    found: dict[str, dict[Context, str]] = {}
    for context, letters in LETTERS.items():
        for title, letter in letters.items():
            found.setdefault(letter, {})[context] = title
    return dict(sorted(found.items()))


def _says(titles: dict[Context, str]) -> str:
    """`order sessions and jobs by state, runs by estimate`."""
    things: dict[str, list[str]] = {}
    for context, title in titles.items():
        things.setdefault(_WORDS.get(title, title), []).append(_MANY[context])
    return "order " + ", ".join(f"{_listed(many)} by {word}" for word, many in things.items())


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


ORDERS: tuple[Action, ...] = tuple(
    Action(
        f"sort.{letter.lower()}",
        f"sort_by('{letter}')",
        letter,
        "order by",
        f"{_says(titles)}; again: reversed",
        "find",
        tuple(titles),
        shown=False,
    )
    for letter, titles in _by_letter().items()
)
