"""Reading a long page: search, sections, folding, and following what grows."""

import asyncio

import pytest
from textual.app import App

from tests.tui.conftest import shown, until
from tui.actions.keymap import Keymap
from tui.screens.output import Broken, Reader, Section, marked
from tui.theme import DARK, PALETTES
from tui.widgets.cells import wrap

SECTIONS = (
    Section("facts", tuple(((f"fact {number}", "text"),) for number in range(10))),
    Section("verdict", ((("verdict", "head"), ("  passed", "dim")), *(((f"check {n}", "text"),) for n in range(10)))),
    Section("output", ((("output", "head"),), *(((f"line {n} of the pump", "text"),) for n in range(100)))),
)


class Reads(App):
    keymap = Keymap()
    can_order, read_only = True, False

    def on_reader_ended(self, message):
        self.told.append(message.line)

    @property
    def typing(self):
        return self.focused is not None and self.focused.check_consume_key("a", "a")

    def compose(self):
        self.told = []
        self.reader = Reader(PALETTES[DARK])
        yield self.reader

    def on_mount(self):
        self.reader.page.focus()


def reads(scenario, sections=SECTIONS, size=(60, 12)):
    async def main():
        app = Reads()
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            app.reader.show(sections, size[0])
            pilot.top = lambda: shown(app).splitlines()[0].strip()
            pilot.shown = lambda: shown(app)
            pilot.until = lambda true, what: until(pilot, true, what)
            await pilot.pause()
            await scenario(pilot, app.reader)

    asyncio.run(main())


def test_s_goes_from_section_to_section_and_back():
    async def scenario(pilot, reader):
        assert pilot.top() == "fact 0"
        await pilot.press("s")
        await pilot.until(lambda: pilot.top() == "verdict  passed  <", "the next section is on top, and marked")
        await pilot.press("s")
        await pilot.until(lambda: pilot.top() == "output  <", "and the one after it")
        await pilot.press("s")
        await pilot.until(lambda: pilot.app.told == ["this is the last section"], "there is none after it")
        assert pilot.top() == "output  <"
        await pilot.press("S", "S")
        await pilot.until(lambda: pilot.top() == "fact 0  <", "and back")
        reader.page.action_line(12)
        await pilot.press("s")
        await pilot.until(lambda: pilot.top() == "output  <", "the one after what is in sight, wherever one was before")

    reads(scenario)


def test_f_folds_to_the_head_and_opens_again():
    async def scenario(pilot, reader):
        await pilot.press("s", "f")
        await pilot.until(lambda: "verdict  passed  <   (10 lines folded)" in pilot.shown(), "it is folded")
        assert "check 0" not in pilot.shown()
        assert "output" in pilot.shown()
        await pilot.press("f")
        await pilot.until(lambda: "check 0" in pilot.shown(), "it is open again")

    reads(scenario)


def test_at_the_bottom_the_section_that_is_marked_is_folded_although_it_cannot_be_on_top():
    short = (*SECTIONS, Section("errors", ((("errors", "head"), ("   as told", "dim")), (("one error", "text"),))))

    async def scenario(pilot, reader):
        await pilot.press("s", "s", "s")
        await pilot.until(lambda: "errors < as told" in pilot.shown(), "it is marked where it is")
        assert pilot.top().startswith("line ")
        reader.page.action_line(-1)
        await pilot.press("f")
        await pilot.until(lambda: "errors < as told   (1 line folded)" in pilot.shown(), "and folded")
        assert reader._folded == {"errors"}

    reads(scenario, short)


def test_a_search_begins_at_the_top_of_what_is_shown():
    async def scenario(pilot, reader):
        reader.page.action_line(61)
        await pilot.press("slash", *"line 3")
        await pilot.until(lambda: "/line 3  1 of 11" in pilot.shown() and "line 39" in pilot.shown(), "below, the rest")
        await pilot.press("enter", "n")
        await pilot.until(
            lambda: "2 of 11" in pilot.shown() and "line 3 of" in pilot.shown(), "then from the beginning"
        )

    reads(scenario)


def test_a_search_goes_to_the_first_match_and_n_to_the_next_ones():
    async def scenario(pilot, reader):
        await pilot.press("slash", *"LINE 9")
        await pilot.until(lambda: "/line 9  1 of 11" in pilot.shown(), "11 lines have it")
        await pilot.until(lambda: "line 9 of the pump" in pilot.shown(), "the first is in sight")
        await pilot.press("enter", "n")
        await pilot.until(lambda: "2 of 11" in pilot.shown() and "line 90 of" in pilot.shown(), "the next")
        await pilot.press("N", "N")
        await pilot.until(lambda: "11 of 11" in pilot.shown() and "line 99 of" in pilot.shown(), "round to the last")
        await pilot.press("escape")
        await pilot.until(lambda: "/line" not in pilot.shown(), "it is over")
        assert not reader.term
        await pilot.press("slash", *"nowhere")
        await pilot.until(lambda: "not found" in pilot.shown(), "it says so")

    reads(scenario)


def test_what_is_found_in_a_folded_section_opens_it():
    async def scenario(pilot, reader):
        await pilot.press("s", "f")
        await pilot.until(lambda: "folded" in pilot.shown(), "it is folded")
        await pilot.press("slash", *"check 7")
        await pilot.press("enter")
        await pilot.until(lambda: "check 7" in map(str.strip, pilot.shown().splitlines()), "it is in sight")

    reads(scenario)


def test_letters_of_a_search_are_no_keys():
    async def scenario(pilot, reader):
        await pilot.press("slash", *"sfnN")
        await pilot.until(lambda: reader.term == "sfnn", "they are all text")
        assert "folded" not in pilot.shown()

    reads(scenario)


def test_a_page_that_shows_its_end_follows_and_one_that_does_not_stays():
    async def scenario(pilot, reader):
        grown = [*SECTIONS[:2], Section("output", (*SECTIONS[2].lines, (("one more", "text"),)))]
        reader.page.action_end(1)
        reader.show(SECTIONS, 60, follow=True)
        reader.show(grown, 60, follow=True)
        await pilot.until(lambda: "one more" in pilot.shown(), "it follows")
        reader.page.action_end(-1)
        grown[2] = Section("output", (*grown[2].lines, (("and more", "text"),)))
        reader.show(grown, 60, follow=True)
        await pilot.pause()
        assert pilot.top() == "fact 0"

    reads(scenario)


def test_what_stays_at_the_beginning_of_a_section_is_not_broken_again(monkeypatch):
    from tui.screens import output

    broken = []
    monkeypatch.setattr(output, "wrap", lambda *given: broken.append(given[0]) or wrap(*given))
    one, two, held = (("a b c", "text"),), (("d", "text"),), Broken()
    held.take((one,), 3, 0)
    held.take((one, two), 3, 0)
    held.take((one, two), 3, 0)
    assert broken == [one, two]
    held.take((one, two), 9, 0)
    assert broken == [one, two, one, two]
    assert held.parts == [[one], [two]]


@pytest.mark.parametrize(
    ("row", "term", "found"),
    [
        ("the pump", "pump", ["the ", "*pump"]),
        ("Pump pump", "pump", ["*Pump", " ", "*pump"]),
        ("the pump", "valve", ["the pump"]),
        ("STRASSE ß", "ss", ["STRASSE ß"]),
    ],
)
def test_what_is_sought_is_set_apart_and_nothing_is_lost(row, term, found):
    parts = marked(((row, "text"),), term)
    assert "".join(text for text, _ in parts) == row
    if "ß" not in row:
        assert [("*" if tone == "warn" else "") + text for text, tone in parts] == found
