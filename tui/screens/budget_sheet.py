"""Set a limit, and see beside it what its present window has taken already."""

from typing import TYPE_CHECKING, Any, get_args

from engine.config.model import Budget, Config, Window
from tui import actions
from tui.screens.sheet import Sheet, no_line
from tui.text import left, moment, stamp
from tui.theme import Palette
from tui.widgets.cells import Cell
from tui.widgets.form import Field
from tui.widgets.meter import meter

if TYPE_CHECKING:
    from engine.runtime.boards import BudgetRow

SCOPES = ("lane", "agent", "job", "source")
TOO_EARLY = "known six hours after the first usage that it counts"
_SUFFIXES = {"k": 1_000, "m": 1_000_000, "g": 1_000_000_000}


class BudgetSheet(Sheet):
    """Fields of `[budget.NAME]`; below, the books of the window."""

    BINDINGS = actions.bindings("sheet")

    def __init__(self, palette: Palette, config: Config, name: str, row: "BudgetRow | None") -> None:
        budget = config.budget.get(name, Budget(window="day", tokens=0))
        scope = " ".join(f"{key}={value}" for key in SCOPES if (value := getattr(budget, key)) is not None)
        fields = (
            Field("name", name, "what to call it: day"),
            Field("window", budget.window if name else "", "hour, day, week or month", get_args(Window)),
            Field("tokens", f"{budget.tokens}" if name else "", "the limit: 200000, 200k, 1.5M"),
            Field("counts", scope, "empty: everything; else lane=isolated agent=coder job=NAME source=codex"),
            Field("warn at", f"{budget.warn_at:g}" if name else "", "the share from which it warns: 0.8"),
            Field("action", budget.action if name else "", "at the limit: refuse or warn", ("refuse", "warn")),
        )
        title = f"Budget {name}" if name else "New budget"
        super().__init__(palette, title, f"written to [budget.{name or 'NAME'}]", fields)
        self._config, self._old, self._row = config, name, row

    def judge(self) -> None:
        try:
            self.entry()
        except ValueError as error:
            self.judged([no_line("budget", str(error))])
            return
        self.judged(self._books())

    def entry(self) -> dict[str, Any]:
        """The keys to write. Raises ValueError, saying which field is wrong."""
        values = self.form.values
        if not values["name"]:
            raise ValueError("give it a name")
        if self._old and values["name"] != self._old:
            raise ValueError(f"a budget keeps its name: leave it at {self._old}, or write a new one with n")
        if not self._old and values["name"] in self._config.budget:
            raise ValueError(f"there is a budget {values['name']} already")
        if (window := values["window"] or "day") not in get_args(Window):
            raise ValueError(f"'{window}' is no window; use hour, day, week or month")
        if (action := values["action"] or "refuse") not in ("refuse", "warn"):
            raise ValueError("the action is refuse or warn")
        scope = self._scope(values["counts"])
        limit = parse_tokens(values["tokens"])
        return {"window": window, "tokens": limit, "warn_at": _share(values["warn at"]), "action": action, **scope}

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

    def _scope(self, text: str) -> dict[str, str | None]:
        scope: dict[str, str | None] = dict.fromkeys(SCOPES)
        for word in text.split():
            key, _, value = word.partition("=")
            if key not in SCOPES or not value:
                raise ValueError(f"'{word}' counts nothing; write lane=, agent=, job= or source= and a name")
            scope[key] = value
        return scope

    def _books(self) -> list[Cell]:
        limit = parse_tokens(self.form.values["tokens"])
        row = self._row
        if row is None:
            return [
                ((f"{limit:,} tokens in each {self.form.values['window'] or 'day'}", "text"), (", from now on", "dim"))
            ]
        level = "full" if row.taken >= limit else "warn" if row.taken >= limit * row.warn_at else "ok"
        return [
            (("this window  ", "dim"), *meter(row.committed + row.overrun, row.held, limit, level, 32)),
            (("taken        ", "dim"), (f"{row.taken:,} of {limit:,}", "text")),
            (("reserved     ", "dim"), (f"{row.held:,}", "text"), ("   by live runs", "dim")),
            (("committed    ", "dim"), (f"{row.committed:,}", "text"), ("   spent as reserved", "dim")),
            (
                ("overrun      ", "dim"),
                (f"{row.overrun:,}", "text"),
                ("   spent beyond a reservation, or observed", "dim"),
            ),
            self._at_the_end(row),
            (("until        ", "dim"), (stamp(row.window_end_ms, self.deck.zone), "text"), self._left(row)),
        ]

    def _at_the_end(self, row: "BudgetRow") -> Cell:
        found = row.projection
        if found is None:
            return (("at the end   ", "dim"), ("-", "dim"), (f"   {TOO_EARLY}", "dim"))
        out_ms = found.runs_out_ms
        out = f", runs out {moment(out_ms, self.now_ms, self.deck.zone)}" if out_ms is not None and self.now_ms else ""
        band = f"   likely; low-high {found.low:,}-{found.high:,}{out}"
        return (("at the end   ", "dim"), (f"{found.likely:,}", "text"), (band, "dim"))

    def _left(self, row: "BudgetRow") -> tuple[str, Any]:
        return (f"   {left(row.window_end_ms, self.now_ms)}" if self.now_ms else "", "dim")


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
