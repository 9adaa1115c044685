"""Is a model one row, a price kept as it was, and the answer of the list that was asked last the one in force?"""

from state import prices


def test_a_model_is_one_row_for_each_provider(house):
    with house.database.transaction() as tx:
        first = prices.model_id(tx, "gpt-5", "openai")
        assert prices.model_id(tx, "gpt-5", "openai") == first
        assert prices.model_id(tx, "gpt-5", "") != first
    assert [(known.name, known.provider) for known in prices.known_models(house.connection)] == [
        ("gpt-5", "openai"),
        ("gpt-5", ""),
    ]


def test_a_model_that_was_never_asked_for(house):
    with house.database.transaction() as tx:
        number = prices.model_id(tx, "m", "p")
    assert prices.known_models(house.connection) == [
        prices.KnownModel(number, "m", "p", None, None, matched=None, asked=None, price_id=None, price=None)
    ]


def test_a_price_is_noted_once_and_the_latest_counts(house):
    with house.database.transaction() as tx:
        model = prices.model_id(tx, "m", "p")
        one = prices.note_price(tx, model, "list 1", "{1}", 10)
        two = prices.note_price(tx, model, "list 1", "{2}", 20)
        prices.note_asked(tx, model, "list 1", "p/m", 200_000)
    assert one != two
    assert [known.price_id for known in prices.known_models(house.connection)] == [two]

    with house.database.transaction() as tx:
        assert prices.note_price(tx, model, "list 1", "{1}", 30) == one
    known = prices.known_models(house.connection)[0]
    assert (known.price_id, known.price, known.matched, known.context_window) == (one, "{1}", "p/m", 200_000)


def test_a_newer_list_that_knows_no_price_is_believed(house):
    """And the old price stays for the responses that were priced by it."""
    with house.database.transaction() as tx:
        model = prices.model_id(tx, "m", "p")
        prices.note_price(tx, model, "list 1", "{1}", 10)
        prices.note_price(tx, model, "config", "{9}", 99)
        prices.note_asked(tx, model, "list 1", "p/m", 200_000)
        assert prices.known_models(tx)[0].price == "{1}"
        prices.note_asked(tx, model, "list 2", None, None)
    known = prices.known_models(house.connection)[0]
    assert (known.asked, known.matched, known.price, known.context_window) == ("list 2", None, None, 200_000)
    assert house.connection.execute("SELECT count(*) FROM prices").fetchone() == (2,)


def test_a_declared_window(house):
    with house.database.transaction() as tx:
        prices.note_window(tx, prices.model_id(tx, "m", ""), 32_000)
    known = prices.known_models(house.connection)[0]
    assert (known.declared_window, known.context_window) == (32_000, None)
