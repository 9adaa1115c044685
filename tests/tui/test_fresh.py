"""Which figures stand out because they have just changed, and for how long?"""

from tui.lists.fresh import TICKS, Fresh


def test_what_is_there_at_first_is_not_fresh():
    fresh = Fresh()
    fresh.take({"a": "1", "b": "2"})
    assert "a" not in fresh
    assert fresh.tone("a", "dim") == "dim"


def test_a_change_stands_out_for_two_ticks_and_no_longer():
    fresh = Fresh()
    fresh.take({"a": "1", "b": "2"})
    fresh.take({"a": "3", "b": "2"})
    for _ in range(TICKS):
        assert (fresh.tone("a"), fresh.tone("b")) == ("bold", "text")
        fresh.age()
    assert fresh.tone("a") == "text"


def test_it_goes_on_while_it_changes_and_each_change_counts_from_itself():
    fresh = Fresh()
    fresh.take({"a": "0"})
    for number in range(1, 6):
        fresh.take({"a": str(number)})
        assert "a" in fresh
        fresh.age()
    fresh.take({"a": "5"})
    fresh.age()
    assert "a" not in fresh


def test_what_comes_later_is_not_fresh_and_what_went_is_forgotten():
    fresh = Fresh()
    fresh.take({"a": "1"})
    fresh.take({"a": "1", "new": "9"})
    assert "new" not in fresh
    fresh.take({"new": "9"})
    fresh.take({"a": "2", "new": "9"})
    assert "a" not in fresh


def test_what_calls_for_attention_keeps_its_tone():
    fresh = Fresh()
    fresh.take({"a": "1"})
    fresh.take({"a": "2"})
    assert [fresh.tone("a", tone) for tone in ("warn", "bad", "dim", "accent")] == ["warn", "bad", "bold", "bold"]


def test_the_header_the_sessions_and_the_budgets_mark_what_changed(filled, drive):
    """The styles are on the screen for two ticks of its clock, in a theme without colours too."""

    async def scenario(pilot):
        def weight(text):
            strips = pilot.app.screen._compositor.render_strips()
            return [
                bool(segment.style and segment.style.bold)
                for strip in strips
                for segment in strip
                if text in segment.text
            ]

        app = pilot.app
        await pilot.sees("today 1.2k", "fix flaky")
        assert True not in weight("1.2k")
        ticked = app._tick
        filled.spend(1, 10_000, key="more")
        await pilot.sees("today 11.2k")
        assert weight("11.2k").count(True) >= 3  # the header, the session and the budget
        for _ in range(TICKS):
            ticked()
        await pilot.until(lambda: True not in weight("11.2k"), "marks go")

    drive(filled.home, scenario, size=(240, 40), theme="mono")
