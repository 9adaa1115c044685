"""Is the operator asked once, answered once, and is what was approved what was asked?"""

import hashlib

import pytest

from state import approvals, ledger
from state.errors import NotFound, Refused

LINE = ledger.Line("b", "tokens", 100, 0, 900_000)
EACH = ledger.Line("b", "tokens", 100, 0, 0, per_run=True)


@pytest.fixture
def tx(house):
    with house.database.transaction() as opened:
        yield opened


@pytest.fixture
def run(house):
    return house.run()


def test_what_is_asked_is_kept_word_for_word_with_its_hash(run, tx):
    what = '{"task":"\\u001b]0;x"}'
    asked = approvals.get(tx, approvals.ask(tx, run, what, 5, 10))
    assert asked == approvals.Approval(
        1, run, what, hashlib.sha256(what.encode()).hexdigest(), 5, 10, "open", None, "budget", None
    )
    assert approvals.pending(tx) == [asked]


@pytest.mark.parametrize(("approve", "state"), [(True, "approved"), (False, "denied")])
def test_it_is_decided_once(run, tx, approve, state):
    asked = approvals.ask(tx, run, "{}", 5, 10)
    decided = approvals.decide(tx, asked, approve, 9)
    assert (decided.state, decided.decided_ms) == (state, 9)
    assert approvals.pending(tx) == []
    for again in (True, False):
        with pytest.raises(Refused, match=f"is {state} already"):
            approvals.decide(tx, asked, again, 9)
    assert approvals.get(tx, asked) == decided


def test_what_is_not_there_cannot_be_decided(tx):
    with pytest.raises(NotFound):
        approvals.decide(tx, 7, True, 1)
    with pytest.raises(NotFound):
        approvals.get(tx, 7)


def test_when_its_time_is_over_it_cannot_be_decided_and_says_so_once(run, tx):
    early, late = approvals.ask(tx, run, "{}", 5, 10), approvals.ask(tx, run, "{}", 5, 11)
    with pytest.raises(Refused, match="expired"):
        approvals.decide(tx, early, True, 10)
    over = approvals.expire(tx, 10)
    assert [(one.id, one.state, one.decided_ms) for one in over] == [(early, "expired", 10)]
    assert approvals.expire(tx, 10) == []
    assert [one.id for one in approvals.pending(tx)] == [late]
    with pytest.raises(Refused, match="expired already"):
        approvals.decide(tx, early, True, 1)


def test_a_run_that_does_not_wait_any_more_asks_nothing(house):
    one, other = house.run(), house.run()
    with house.database.transaction() as tx:
        first = approvals.ask(tx, one, "{}", 5, 10)
        second = approvals.ask(tx, other, "{}", 6, 10)
        answered = approvals.ask(tx, one, "{}", 7, 10)
        approvals.decide(tx, answered, False, 8)
        approvals.withdraw(tx, one, 9)
        assert [asked.id for asked in approvals.pending(tx)] == [second]
        assert approvals.get(tx, first).state == "withdrawn"
        assert approvals.of_run(tx, one).state == "denied", "the last one that was put, as it was answered"
        assert approvals.of_run(tx, 99) is None
        with pytest.raises(Refused, match="withdrawn"):
            approvals.decide(tx, first, True, 9)


@pytest.mark.parametrize("state", ["open", "denied", "expired", "withdrawn"])
def test_only_what_was_approved_is_granted(run, tx, state):
    asked = approvals.ask(tx, run, "{}", 5, 10)
    {
        "open": lambda: None,
        "denied": lambda: approvals.decide(tx, asked, False, 6),
        "expired": lambda: approvals.expire(tx, 10),
        "withdrawn": lambda: approvals.withdraw(tx, run, 6),
    }[state]()
    with pytest.raises(Refused, match=state):
        approvals.grant(tx, asked, LINE, None, 5, 7)
    assert ledger.book(tx, LINE).granted == 0


@pytest.mark.parametrize(
    ("line", "for_run", "amount"), [(LINE, False, 0), (LINE, False, -5), (LINE, True, 5), (EACH, False, 5)]
)
def test_a_grant_that_makes_no_sense_is_a_mistake(run, tx, line, for_run, amount):
    asked = approvals.ask(tx, run, "{}", 5, 10)
    approvals.decide(tx, asked, True, 6)
    with pytest.raises(ValueError, match="grant"):
        approvals.grant(tx, asked, line, run if for_run else None, amount, 7)


def test_one_approval_may_raise_several_limits_each_once(run, tx):
    asked = approvals.ask(tx, run, "{}", 5, 10)
    approvals.decide(tx, asked, True, 6)
    money = ledger.Line("b", "microusd", 100, 0, 900_000)
    for line in (LINE, money):
        approvals.grant(tx, asked, line, None, 5, 7)
        with pytest.raises(Refused, match="already"):
            approvals.grant(tx, asked, line, None, 5, 7)
    assert [ledger.book(tx, line).granted for line in (LINE, money)] == [5, 5]
