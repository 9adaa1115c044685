"""The ledger on a real database beside its oracle: whatever happens to it, in whatever order."""

from contextlib import suppress

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from state import approvals, entries, ledger, run_usage, unpriced
from state.database import open_writer
from state.errors import OverBudget, Refused
from tests.state.ledger_model import DAY_MS, HOUR_MS, Grant, Model, Response, Run

TABLES = (
    *("usage", "usage_minutes", "usage_hours", "usage_days", "reservations", "ledger_entries", "budget_sums"),
    *("grants", "approvals", "claims", "receipts", "runs", "generations", "sessions"),
)
amounts = st.integers(0, 60)
costs = st.one_of(st.integers(0, 60), st.integers(0, 60), st.none())
lanes = st.sampled_from(["main", "isolated"])
picks = st.integers(0, 11)


class Crash(Exception):
    """The process ends in the middle of a transaction."""


class Machine(RuleBasedStateMachine):
    house = None
    begun = 0

    @initialize(
        first=st.lists(
            st.tuples(lanes, st.integers(0, 30), st.one_of(st.none(), st.integers(20, 40))), min_size=2, max_size=4
        )
    )
    def begin(self, first):
        """With nothing but a few runs: what follows has something to happen to."""
        Machine.begun += 1
        with self.house.database.transaction(durable=False) as tx:
            for table in TABLES:
                tx.execute(f"DELETE FROM {table}")
        self.model, self.entries, self.before = Model(), [], {}
        self.ours = {lane: self.house.next_generation(self.house.session(lane=lane)) for lane in ("main", "isolated")}
        self.theirs = self.house.generation()
        self.provisional = set()
        for lane, tokens, cost in first:
            self.admit(lane, tokens, cost)

    def line(self, budget, unit, at_ms):
        declared = self.model.budgets[budget]
        return ledger.Line(
            budget=budget,
            unit=unit,
            limit=declared.limits[unit],
            window_start_ms=self.model.window(budget, at_ms)[0],
            window_end_ms=self.model.window(budget, at_ms)[1],
            per_run=declared.length_ms is None,
            scope=ledger.Filter(lane=declared.lane),
            enforced=declared.enforced,
        )

    def lines(self, lane, at_ms):
        return [self.line(*place, at_ms) for place in self.model.lines_of(lane)]

    def lines_of_run(self, run):
        return self.lines(self.model.runs[run].lane, self.model.runs[run].admitted_ms)

    def pick(self, place, settled=None):
        runs = [key for key, run in self.model.runs.items() if settled is None or run.settled == settled]
        return runs[place % len(runs)] if runs else None

    @rule(lane=lanes, tokens=amounts, cost=costs)
    def reserve(self, lane, tokens, cost):
        self.admit(lane, tokens, cost)

    def admit(self, lane, tokens, cost):
        wanted = {"tokens": tokens} if cost is None else {"tokens": tokens, "microusd": cost}
        run = self.house.run(self.model.now_ms, lane=lane, generation_id=self.ours[lane])
        self.model.runs[run] = Run(lane, self.model.now_ms)
        lacking = self.model.reserve(run, lane, wanted)
        lines = self.lines(lane, self.model.now_ms)
        with self.house.database.transaction() as tx:
            said = None
            try:
                ledger.reserve(tx, run, lines, wanted, self.model.now_ms)
            except OverBudget as error:
                said = (error.budget, error.unit)
        assert said == lacking, "L2: what fits is held, and nothing else"
        if lacking:
            self.model.runs[run].settled = True
        for line in lines if said is None else ():
            now = ledger.book(self.house.connection, line, run)
            if line.enforced and line.unit in wanted:
                assert now.taken <= line.limit + now.granted, "L2"

    @rule(place=picks, tokens=amounts, cost=costs)
    def extend(self, place, tokens, cost):
        run = self.pick(place)
        if run is None:
            return
        extra = {"tokens": tokens} if cost is None else {"tokens": tokens, "microusd": cost}
        expected = self.model.extend(run, extra)
        with self.house.database.transaction() as tx:
            lacking = ledger.extend(tx, run, self.lines_of_run(run), extra, self.model.now_ms)
        assert [(line.budget, line.unit) for line in lacking] == expected

    @rule(place=picks)
    def settle(self, place):
        """Of one that is settled already, too: then nothing moves."""
        run = self.pick(place)
        if run is not None:
            self.end(run)

    def end(self, run):
        self.model.settle(run)
        with self.house.database.transaction() as tx:
            ledger.settle(tx, run, self.used(run), self.lines_of_run(run), self.model.now_ms)

    def used(self, run):
        microusd, unknown = self.model.used(run, "microusd")
        return entries.Used(self.model.used(run, "tokens")[0], microusd, unknown)

    @rule(place=picks, number=st.integers(0, 2), tokens=amounts, cost=costs, ago_ms=st.sampled_from([0, 0, HOUR_MS]))
    def use(self, place, number, tokens, cost, ago_ms):
        """A run reports: early or late, again, out of order, more or less than before."""
        run = self.pick(place)
        if run is None:
            return
        report = Response(run, self.model.now_ms - ago_ms, tokens, cost)
        self.book(f"r{run}.{number}", self.ours[self.model.runs[run].lane], report)

    @rule(number=st.integers(0, 3), tokens=amounts, cost=costs)
    def observe(self, number, tokens, cost):
        self.book(f"o{number}.{self.model.now_ms}", self.theirs, Response(None, self.model.now_ms, tokens, cost))

    def book(self, key, generation, report):
        row = self.house.row(
            generation, key, (0, 0, 0, report.tokens), run_id=report.run, at_ms=report.at_ms, cost_microusd=report.cost
        )
        self.house.book(row._replace(model_id=1))
        self.model.report(key, report)

    @rule(place=picks, tokens=amounts, cost=st.one_of(st.none(), costs))
    def end_as_it_told(self, place, tokens, cost):
        """A run ends, and its own output tells what it used; its log will."""
        run = self.pick(place)
        if run is None or run in self.provisional:
            return
        report = Response(run, self.model.now_ms, tokens, cost)
        key = run_usage.provisional_key(run)
        row = self.house.row(
            self.ours[self.model.runs[run].lane],
            key,
            (0, 0, 0, tokens),
            run_id=run,
            at_ms=report.at_ms,
            cost_microusd=cost,
        )
        with self.house.database.transaction() as tx:
            run_usage.book_run(tx, row._replace(model_id=1))
        self.provisional.add(run)
        self.model.report(key, report)
        self.end(run)

    @precondition(lambda self: self.provisional)
    @rule()
    def the_log_tells_instead(self):
        run = min(self.provisional)
        self.provisional.discard(run)
        with self.house.database.transaction() as tx:
            run_usage.drop_provisional(tx, run)
        del self.model.responses[run_usage.provisional_key(run)]
        self.model.correct(run)

    @rule(cost=st.integers(0, 60))
    def a_price_arrives(self, cost):
        found = unpriced.responses(self.house.connection, 1, 0, 100)
        with self.house.database.transaction() as tx:
            unpriced.price(tx, 1, None, [(one, cost) for one in found])
        touched = {one.run for one in self.model.responses.values() if one.cost is None}
        for one in self.model.responses.values():
            one.cost = cost if one.cost is None else one.cost
        for run in touched - {None}:
            self.model.correct(run)

    @rule(place=picks, limit=st.integers(0, 160))
    def change_a_limit(self, place, limit):
        lines = self.model.lines_of("main")
        budget, unit = lines[place % len(lines)]
        self.model.budgets[budget].limits[unit] = limit

    @rule()
    def declare_one_more(self):
        self.model.budgets["young"].declared = True

    @rule(place=st.integers(0, 6), who=picks, amount=st.integers(1, 60), approve=st.sampled_from([True, True, False]))
    def grant(self, place, who, amount, approve):
        run, lines = self.pick(who), self.model.lines_of("main")
        if run is None:
            return
        budget, unit = lines[place % len(lines)]
        line = self.line(budget, unit, self.model.now_ms)
        run = run if line.per_run else None
        with self.house.database.transaction() as tx:
            asked = approvals.ask(tx, self.pick(who), "{}", 0, 1)
            approvals.decide(tx, asked, approve, 0)
            try:
                approvals.grant(tx, asked, line, run, amount, self.model.now_ms)
                granted = True
            except Refused:
                granted = False
        assert granted == approve
        if granted:
            self.model.grants.append(Grant(budget, unit, line.window_start_ms, run, amount))

    @rule(later_ms=st.sampled_from([60_000, HOUR_MS // 2, HOUR_MS, DAY_MS]))
    def time_passes(self, later_ms):
        self.model.now_ms += later_ms

    @rule(place=picks, tokens=amounts)
    def crash(self, place, tokens):
        """In the middle of whatever it does; then it begins again with what is on the disk."""
        run = self.pick(place)
        with suppress(Crash), self.house.database.transaction() as tx:
            if run is not None:
                ledger.extend(tx, run, self.lines_of_run(run), {"tokens": tokens}, self.model.now_ms)
                ledger.settle(tx, run, ledger.Used(tokens), (), self.model.now_ms)
                ledger.correct(tx, run, ledger.Used(tokens + 7), self.model.now_ms)
            raise Crash
        self.house.database.close()
        self.house.database = open_writer(self.house.home)

    @invariant()
    def the_books_are_those_of_the_model(self):
        instants = {self.model.now_ms, *(run.admitted_ms for run in self.model.runs.values())}
        places = [(name, unit) for name, budget in self.model.budgets.items() for unit in budget.limits]
        for budget, unit in places:
            per_run = self.model.budgets[budget].length_ms is None
            windows = {self.model.window(budget, at_ms)[0]: at_ms for at_ms in instants} if not per_run else {}
            for at_ms in sorted(windows.values()):
                self.same(budget, unit, at_ms, None)
            for run in self.model.runs if per_run else ():
                self.same(budget, unit, self.model.runs[run].admitted_ms, run)

    def same(self, budget, unit, at_ms, run):
        line = self.line(budget, unit, at_ms)
        now = ledger.book(self.house.connection, line, run)
        assert (now.held, now.committed, now.overrun, now.granted) == self.model.book(budget, unit, at_ms, run)
        if line.enforced:
            place, sum_now = (budget, unit, line.per_run or line.window_start_ms, run), now.held + now.committed
            assert sum_now <= max(line.limit + now.granted, self.before.get(place, 0)), "L1"
            self.before[place] = sum_now

    @invariant()
    def nothing_is_deleted_and_everything_adds_up(self):
        connection = self.house.connection
        found = connection.execute("SELECT * FROM ledger_entries ORDER BY id").fetchall()
        assert found[: len(self.entries)] == self.entries, "L7"
        self.entries = found
        assert ledger.replay(connection) == []
        closed = [entry[2:5] for entry in found if entry[5] == "settled"]
        assert len(closed) == len(set(closed)), "L4"
        for run, state, unit, booked, tokens, microusd, unknown in connection.execute(
            "SELECT r.run_id, r.state, r.unit, r.committed + r.overrun, n.used_tokens, n.used_microusd, n.unpriced"
            " FROM reservations r JOIN runs n ON n.id = r.run_id"
        ):
            used = tokens if unit == "tokens" else microusd
            assert (used, unknown if unit == "microusd" else 0) == self.model.used(run, unit)
            if state == "settled":
                assert booked >= used if unknown and unit == "microusd" else booked == used, "L3"
