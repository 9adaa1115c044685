"""Set a limit, and see beside it what its present window has spent already."""

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from engine.config.model import Budget, Config, Unit, Window
from engine.config.routed import Lane
from engine.config.rules import MOST_USD
from tui import actions
from tui.screens.sheet import Problem, Sheet, name_problem
from tui.text import amount_in_full, left, moment, stamp
from tui.theme import Palette
from tui.widgets.cells import Cell
from tui.widgets.form import Field
from tui.widgets.meter import meter

if TYPE_CHECKING:
    from engine.runtime.boards import BudgetRow

SCOPES = {
    "lane": "lane",
    "agent": "agent",
    "job": "job",
    "task type": "task_type",
    "model": "model",
    "source": "source",
}
"""Field to key: whose usage counts. Empty: everybody's."""
SOURCES: tuple[str, ...] = get_args(get_args(get_type_hints(Budget)["source"])[0])
ACTIONS: tuple[str, ...] = get_args(get_type_hints(Budget)["action"])
TOO_EARLY = "nothing was ever used that it counts"
_SUFFIXES = {"k": 1_000, "m": 1_000_000, "g": 1_000_000_000}


class BudgetSheet(Sheet):
    """Fields of `[budget.NAME]`; below, the books of the window."""

    BINDINGS = actions.bindings("sheet")

    def __init__(self, palette: Palette, config: Config, name: str, rows: Sequence["BudgetRow"]) -> None:
        title = f"Budget {name}" if name else "New budget"
        super().__init__(palette, title, f"written to [budget.{name or 'NAME'}]", _fields(config, name))
        self._config, self._old, self._rows = config, name, rows

    def judge(self) -> None:
        problems = self.problems()
        marked = self.found_wrong(problems, "budget")
        self.judged(marked or self._books())

    def problems(self) -> list[Problem]:
        """Every field that is wrong."""
        values = self.form.values
        window = values["window"] or "day"
        action = "" if values["action"] in ("", *ACTIONS) else f"the action is {_one_of(ACTIONS)}"
        odd = "" if window in get_args(Window) else f"'{window}' is no window; use {_one_of(get_args(Window))}"
        limited = values["tokens"] or values["usd"]
        found = [
            ("name", name_problem("budget", values["name"], self._old, self._config.budget)),
            ("window", odd),
            ("action", action),
            *((field, _complaint(parse, values[field])) for field, parse in _PARSED.items()),
            ("tokens", "" if limited else "give it a limit: tokens, usd or both"),
            *((field, self._no_such(field, values[field])) for field in SCOPES),
        ]
        return [(field, why) for field, why in found if why]

    def entry(self) -> dict[str, Any]:
        """The keys to write. Raises ValueError, saying what is wrong."""
        if problems := self.problems():
            raise ValueError(problems[0][1])
        values = self.form.values
        tokens = parse_tokens(values["tokens"]) if values["tokens"] else None
        usd = parse_usd(values["usd"]) if values["usd"] else None
        said = {"warn_at": _share(values["warn at"]), "action": values["action"] or None}
        scope = {key: values[field] or None for field, key in SCOPES.items()}
        return {"window": values["window"] or "day", "tokens": tokens, "usd": usd, **said, **scope}

    def action_save(self) -> None:
        """Write it, when it is good; the engine takes it up at once."""
        try:
            entry = self.entry()
        except ValueError as error:
            self.flash(str(error), "bad")
            return
        name = self.form.values["name"]
        self.flash("writing", "dim")
        self.deck.link.put_entry("budget", name, entry, lambda _: self.written(f"budget {name} is in force"))

    def _no_such(self, field: str, name: str) -> str:
        known: dict[str, Collection[str]] = {
            "lane": get_args(Lane),
            "agent": self._config.agents,
            "job": self._config.job,
            "task type": self._config.task_types,
            "source": SOURCES,
        }
        if not name or field not in known or name in known[field]:
            return ""
        return f"there is no {field} '{name}'; known: {', '.join(known[field]) or 'none'}"

    def _books(self) -> list[Cell]:
        """Of each unit that has a limit; what the fields say now is held against what was spent already."""
        values = self.form.values
        limits: dict[Unit, int] = {}
        if values["tokens"]:
            limits["tokens"] = parse_tokens(values["tokens"])
        if values["usd"]:
            limits["microusd"] = round(parse_usd(values["usd"]) * 1_000_000)
        window = values["window"] or "day"
        rows = {row.unit: row for row in self._rows if row.window == window}
        lines: list[Cell] = []
        for unit, limit in limits.items():
            row = rows.get(unit)
            lines += self._book(row, limit) if row and window != "run" else _from_now(unit, limit, window)
        return lines

    def _book(self, row: "BudgetRow", limit: int) -> list[Cell]:
        most, unit = limit + row.granted, row.unit
        level = "full" if row.taken >= most else "warn" if row.spent >= most * row.warn_at else "ok"
        granted = f", {amount_in_full(unit, row.granted)} of it granted by you" if row.granted else ""
        return [
            (("this window  ", "dim"), *meter(row.spent, row.held, most, level, 32)),
            _line("spent", f"{_number(unit, row.spent, most)} of {_number(unit, most, row.spent)}", granted),
            _line("held", _number(unit, row.held), "   reserved by live runs, and not used yet"),
            _line("observed", _number(unit, row.observed), "   by sessions that are not ours"),
            _line("overrun", _number(unit, row.overrun), "   by our runs beyond what was free"),
            *_no_price(row),
            self._at_the_end(row),
            (("until        ", "dim"), (stamp(row.window_end_ms, self.deck.zone), "text"), self._left(row)),
        ]

    def _at_the_end(self, row: "BudgetRow") -> Cell:
        found = row.projection
        if found is None:
            return _line("at the end", "-", f"   {TOO_EARLY}")
        out_ms = found.runs_out_ms
        out = f", runs out {moment(out_ms, self.now_ms, self.deck.zone)}" if out_ms is not None and self.now_ms else ""
        low, high = _number(row.unit, found.low), _number(row.unit, found.high)
        return _line("at the end", _number(row.unit, found.likely), f"   likely; low-high {low}-{high}{out}")

    def _left(self, row: "BudgetRow") -> tuple[str, Any]:
        return (f"   {left(row.window_end_ms, self.now_ms)}" if self.now_ms else "", "dim")


_PLAIN = Budget(window="day")
"""What holds where nothing is said."""


def _fields(config: Config, name: str) -> tuple[Field, ...]:
    budget = config.budget.get(name, _PLAIN)
    said = {field: getattr(budget, key) or "" for field, key in SCOPES.items()}
    tokens = "" if budget.tokens is None else f"{budget.tokens}"
    usd = "" if budget.usd is None else f"{budget.usd:.10g}"
    return (
        Field("name", name, "what to call it: day"),
        Field("window", budget.window if name else "", "day", get_args(Window), beside=True),
        Field("tokens", tokens, "200000, 200k, 1.5M"),
        Field("usd", usd, "dollars: 40, 0.50", beside=True),
        Field("lane", said["lane"], "both", get_args(Lane)),
        Field("agent", said["agent"], "all", tuple(config.agents), beside=True),
        Field("job", said["job"], "all", tuple(config.job)),
        Field("task type", said["task type"], "all", tuple(config.task_types), beside=True),
        Field("model", said["model"], "all"),
        Field("source", said["source"], "all", SOURCES, beside=True),
        Field(
            "warn at", "" if budget.warn_at == _PLAIN.warn_at else f"{budget.warn_at:g}", "0.8, the share of the limit"
        ),
        Field("action", "" if budget.action == _PLAIN.action else budget.action, "refuse", ACTIONS, beside=True),
    )


def _from_now(unit: Unit, limit: int, window: str) -> list[Cell]:
    each = "each run by itself" if window == "run" else f"each {'five hours' if window == '5h' else window}"
    return [((f"{amount_in_full(unit, limit)} for {each}", "text"), (", from now on", "dim"))]


def _no_price(row: "BudgetRow") -> list[Cell]:
    return [_line("no price", f"{row.unpriced:,}", "   responses that are in none of these")] if row.unpriced else []


def _number(unit: Unit, number: int, *beside: int) -> str:
    """The sign of money says what it is; the rest are tokens."""
    return amount_in_full(unit, number, *beside).removesuffix(" tokens")


def _line(name: str, said: str, beside: str) -> Cell:
    return ((f"{name:<13}", "dim"), (said, "text"), (beside, "dim"))


def _one_of(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def parse_usd(text: str) -> float:
    """`$0.10`, `40`, `1,200`. Raises ValueError."""
    try:
        usd = float(text.strip().removeprefix("$").replace(",", ""))
    except ValueError:
        raise ValueError(f"'{text}' is no amount of dollars; write it like 40 or 0.50") from None
    if not 0 <= usd <= MOST_USD:
        raise ValueError(f"'{text}' is no limit that makes sense")
    return usd


def parse_tokens(text: str) -> int:
    """`200000`, `200k`, `1.5M`. Raises ValueError."""
    stripped = text.replace(",", "").replace("_", "").strip().lower()
    factor = _SUFFIXES.get(stripped[-1:], 1)
    try:
        number = float(stripped[:-1] if stripped[-1:] in _SUFFIXES else stripped) * factor
    except ValueError:
        raise ValueError(f"'{text}' is no number of tokens; write it like 200000, 200k or 1.5M") from None
    if not 0 <= number < 1e15:
        raise ValueError(f"'{text}' is no limit that makes sense")
    return round(number)


def _share(text: str) -> float | None:
    if not text:
        return None
    try:
        share = float(text.rstrip("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise ValueError(f"'{text}' is no share; write it like 0.8 or 80%") from None
    if not 0 < share <= 1:
        raise ValueError("warn at must be above 0 and at most 1")
    return share


_PARSED: dict[str, Callable[[str], Any]] = {"tokens": parse_tokens, "usd": parse_usd, "warn at": _share}


def _complaint(parse: Callable[[str], Any], text: str) -> str:
    try:
        parse(text) if text else None
    except ValueError as error:
        return str(error)
    return ""
