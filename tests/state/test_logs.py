"""How far is each log read, what was refused, and what does the client itself say?"""

import msgspec

from state import logs


def test_how_far_a_log_was_read(house):
    log = logs.LogFile(0, "codex", "/l", 1, 2, 10, 20, 10, "h", "", 5, "{}", "{}", 1)
    with house.database.transaction() as tx:
        number = logs.advance(tx, log, {"bad_json": 1}, {"stream": 2}, False)
        more = msgspec.structs.replace(log, size=30, offset=30, lines=2)
        assert logs.advance(tx, more, {"bad_json": 2, "too_long": 1}, {"twin": 1}, False) == number
        logs.add_dropped(tx, number, {"copy": 4})
        logs.note_problem(tx, "/gone", "EACCES", 1)
        logs.note_problem(tx, "/gone", "ENOENT", 2)
    refused, dropped = {"bad_json": 3, "too_long": 1}, {"copy": 4, "stream": 2, "twin": 1}
    assert logs.coverage(house.connection) == logs.Coverage(1, 0, 30, 7, refused, dropped, 1)
    assert logs.problems(house.connection) == [("/gone", "ENOENT")]
    with house.database.transaction() as tx:
        logs.forget_problem(tx, "/gone")
        logs.advance(tx, log, {}, {}, True)
    assert logs.coverage(house.connection) == logs.Coverage(1, 0, 10, 5, {}, {}, 0)


def test_a_log_that_is_gone_is_remembered_until_it_is_read_again(house):
    house.log("/a")
    house.log("/b")
    with house.database.transaction() as tx:
        logs.mark_gone(tx, ("/a", "/never"), 77)
        logs.mark_gone(tx, ("/a",), 99)
    assert {log.path: log.gone_ms for log in logs.files(house.connection)} == {"/a": 77, "/b": None}
    assert logs.coverage(house.connection).files_gone == 1
    house.log("/a")
    assert logs.coverage(house.connection).files_gone == 0


def test_the_clients_latest_totals_are_kept(house):
    generation = house.generation()
    for at_ms, output in ((5, 1), (9, 3), (7, 2)):
        with house.database.transaction() as tx:
            logs.note_totals(tx, generation, logs.ClientTotals("cost-state", at_ms, 1, 2, 3, output, 4))
    found = logs.client_totals(house.connection, generation)
    assert found == logs.ClientTotals("cost-state", 9, 1, 2, 3, 3, 4)
    assert logs.client_totals(house.connection, 999) is None


def test_the_latest_of_each_subscription_window_is_kept(house):
    for name, at_ms, used in (("primary", 5, 10.0), ("primary", 9, 30.0), ("primary", 7, 20.0), ("secondary", 1, 1.0)):
        with house.database.transaction() as tx:
            logs.note_limit(tx, logs.RateLimit("codex", "/h", name, at_ms, used, 300, 99, "plus"))
    assert [(limit.name, limit.used_percent) for limit in logs.limits(house.connection)] == [
        ("primary", 30.0),
        ("secondary", 1.0),
    ]
