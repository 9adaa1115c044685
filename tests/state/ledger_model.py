"""The oracle of the ledger: what its books must say, in plain Python and without a single running sum."""

from dataclasses import dataclass, field

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
START_MS = 20_000 * DAY_MS
UNITS = ("tokens", "microusd")


@dataclass
class Declared:
    """A budget of the machine. `length_ms` is that of its window, None where each run has the limit for itself."""

    length_ms: int | None
    limits: dict
    lane: str | None = None
    enforced: bool = True
    declared: bool = True


@dataclass
class Part:
    """One run's part of one budget in one unit."""

    held: int
    committed: int = 0
    overrun: int = 0
    is_open: bool = True


@dataclass
class Run:
    lane: str
    admitted_ms: int
    parts: dict = field(default_factory=dict)
    settled: bool = False


@dataclass
class Response:
    run: int | None
    at_ms: int
    tokens: int
    cost: int | None
    provisional: bool = False


@dataclass
class Grant:
    budget: str
    unit: str
    start_ms: int
    run: int | None
    amount: int


class Model:
    def __init__(self):
        both = {"tokens": 100, "microusd": 80}
        self.budgets = {
            "all": Declared(DAY_MS, dict(both)),
            "main": Declared(HOUR_MS, dict(both), lane="main"),
            "each": Declared(None, {"tokens": 70, "microusd": 60}),
            "soft": Declared(DAY_MS, {"tokens": 20}, enforced=False),
            "young": Declared(DAY_MS, {"tokens": 90}, declared=False),
        }
        self.runs, self.responses, self.grants, self.now_ms = {}, {}, [], START_MS

    def lines_of(self, lane):
        """(budget, unit) of every limit that a run in this lane draws on now."""
        return [
            (name, unit)
            for name, budget in self.budgets.items()
            if budget.declared and budget.lane in (None, lane)
            for unit in budget.limits
        ]

    def window(self, budget, at_ms):
        length_ms = self.budgets[budget].length_ms
        return (
            (at_ms, at_ms)
            if length_ms is None
            else (at_ms // length_ms * length_ms, (at_ms // length_ms + 1) * length_ms)
        )

    def used(self, run, unit):
        """(known, how many are unknown) of a run."""
        mine = [one for one in self.responses.values() if one.run == run]
        if unit == "tokens":
            return sum(one.tokens for one in mine), 0
        return sum(one.cost or 0 for one in mine), sum(one.cost is None for one in mine)

    def granted(self, budget, unit, at_ms, run):
        start_ms, end_ms = self.window(budget, at_ms)
        per_run = self.budgets[budget].length_ms is None
        return sum(
            one.amount
            for one in self.grants
            if (one.budget, one.unit) == (budget, unit)
            and (one.run == run if per_run else start_ms <= one.start_ms < end_ms)
        )

    def book(self, budget, unit, at_ms, run=None):
        """(held, committed, overrun, granted) of the window around an instant, or of one run."""
        place, declared = (budget, unit), self.budgets[budget]
        start_ms, end_ms = self.window(budget, at_ms)
        granted = self.granted(budget, unit, at_ms, run)
        if declared.length_ms is None:
            inside = {} if run is None else {run: self.runs[run]}
        else:
            inside = {key: one for key, one in self.runs.items() if start_ms <= one.admitted_ms < end_ms}
        parts = [(key, one.parts[place]) for key, one in inside.items() if place in one.parts]
        overrun = sum(part.overrun for _, part in parts)
        overrun += sum(max(0, self.used(key, unit)[0] - part.held) for key, part in parts if part.is_open)
        overrun += sum(
            self._amount(one, unit)
            for one in self.responses.values()
            if self._beside(one, place, start_ms, end_ms, run)
        )
        return sum(part.held for _, part in parts), sum(part.committed for _, part in parts), overrun, granted

    def _amount(self, response, unit):
        return response.tokens if unit == "tokens" else response.cost or 0

    def _beside(self, response, place, start_ms, end_ms, run):
        """Whether this budget counts a response that no reservation of it stands for."""
        declared = self.budgets[place[0]]
        owner = self.runs.get(response.run)
        if owner is not None and place in owner.parts:
            return False
        if declared.length_ms is None:
            return run is not None and response.run == run
        lane = owner.lane if owner else "main"
        return start_ms <= response.at_ms < end_ms and declared.lane in (None, lane)

    def lacks(self, place, amount, at_ms, run=None):
        """Whether that much more does not fit."""
        budget, unit = place
        held, committed, overrun, granted = self.book(budget, unit, at_ms, run)
        limit = self.budgets[budget].limits[unit] + granted
        return self.budgets[budget].enforced and held + committed + overrun + amount > limit

    def reserve(self, run, lane, amounts):
        """The first line without room, or None: then it is held."""
        lines = [place for place in self.lines_of(lane) if place[1] in amounts]
        for place in lines:
            if self.lacks(place, amounts[place[1]], self.now_ms, run):
                return place
        self.runs[run].parts = {place: Part(amounts[place[1]]) for place in lines}
        return None

    def extend(self, run, extra):
        """Every line without room; where there is none, it is held."""
        one, lacking, lines = self.runs[run], [], []
        for place in self.lines_of(one.lane):
            amount, part = extra.get(place[1], 0), one.parts.get(place)
            if not amount or part is None or not part.is_open:
                continue
            lines.append(place)
            counted = min(amount, max(0, self.used(run, place[1])[0] - part.held))
            if self.lacks(place, amount - counted, one.admitted_ms, run):
                lacking.append(place)
        for place in () if lacking else lines:
            one.parts[place].held += extra[place[1]]
        return lacking

    def settle(self, run):
        one = self.runs[run]
        for place, part in one.parts.items():
            if not part.is_open:
                continue
            known, unknown = self.used(run, place[1])
            amount = max(known, part.held) if unknown else known
            covered = min(amount, part.held)
            if amount > part.held and place in self.lines_of(one.lane):
                held, committed, overrun, granted = self.book(*place, one.admitted_ms, run)
                others = held + committed + overrun - part.held - max(0, known - part.held)
                room = self.budgets[place[0]].limits[place[1]] + granted - others
                covered = max(covered, min(amount, room))
            part.held, part.committed, part.overrun, part.is_open = 0, covered, amount - covered, False
        one.settled = True

    def correct(self, run):
        """Bring what is settled of a run to what is booked for it now."""
        for (_, unit), part in self.runs[run].parts.items():
            if part.is_open:
                continue
            booked = part.committed + part.overrun
            known, unknown = self.used(run, unit)
            more = (max(known, booked) if unknown else known) - booked
            less = min(part.overrun, max(0, -more))
            part.overrun += max(0, more) - less
            part.committed -= max(0, -more) - less

    def report(self, key, report):
        """A response is told (again): the higher figure wins, its day is the earliest."""
        known = self.responses.get(key)
        if known is None:
            self.responses[key] = report
        elif report.tokens > known.tokens:
            self.responses[key] = Response(known.run, min(known.at_ms, report.at_ms), report.tokens, report.cost)
        else:
            known.at_ms = min(known.at_ms, report.at_ms)
        if known is None or known.run is not None:
            self.correct_if_run(self.responses[key].run)

    def correct_if_run(self, run):
        if run is not None:
            self.correct(run)
