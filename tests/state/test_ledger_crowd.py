"""Do limits hold when many ask at once, and do the books add up when the writer is killed in the middle?"""

from contextlib import closing

from state import ledger
from state.database import open_writer
from tests.state.crowd import crowd, killed, race, unsettled_difference

AMOUNT, LIMIT = 7, 2_000


def test_many_spenders_at_once_get_what_there_is_and_not_a_run_more(house):
    house.database.close()
    admitted, refused, looks = crowd(house.home, spenders=8, attempts=50, limit=LIMIT, amount=AMOUNT)
    assert (admitted, refused) == (LIMIT // AMOUNT, 400 - LIMIT // AMOUNT)
    assert looks > 1
    with closing(open_writer(house.home)) as database:
        assert ledger.replay(database.connection) == []


def test_a_writer_that_is_killed_anywhere_leaves_books_that_add_up(house):
    house.next_generation(house.session())
    house.database.close()
    begun = 0
    for seed in range(100):
        begun += killed(house.home, seed)
        with closing(open_writer(house.home)) as database:
            assert ledger.replay(database.connection) == []
            assert unsettled_difference(database.connection) == 0
    assert begun > 10_000


def test_of_two_that_want_one_file_at_once_exactly_one_gets_it(house):
    house.database.close()
    outcomes = race(house.home, trials=100)
    assert set(outcomes) <= {b"+-", b"-+"}
    assert len(outcomes) == 100
