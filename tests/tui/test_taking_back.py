"""Which act does `u` name, and what does it say: before, when it is asked, and afterwards?"""

import pytest

from engine.runtime.undoing import Undoable
from tui.console.taking_back import TakingBack
from tui.reading.journal import UndoChanged


class App:
    """What the console's `u` asks of it."""

    palette = None

    def __init__(self):
        self.said, self.ordered, self.asked = [], [], []
        self.link = self

    def flash(self, line, tone="text"):
        self.said.append(line)

    def push_screen(self, screen):
        self.asked.append(screen)

    def order(self, kind, body, done):
        self.ordered.append((body.entry_id, body.skip))
        done({"undone": "pause tick" if not body.skip else None})


def acts(*whys):
    return tuple(Undoable(len(whys) - at, 0, f"act {len(whys) - at}", "me", why) for at, why in enumerate(whys))


@pytest.mark.parametrize(
    ("found", "label", "why_not"),
    [
        ((), "", "there is nothing to undo"),
        (acts("", ""), "undo: act 2", ""),
        (acts("edited", "", ""), "undo: act 2", ""),
        (acts("edited", "used", ""), "undo: act 1", ""),
        (acts("edited"), "", "act 1 cannot be taken back: edited"),
        (acts("edited", "used"), "", "act 2 cannot be taken back: edited; nor can anything before it"),
    ],
)
def test_the_newest_act_that_can_be_taken_back_is_named(found, label, why_not):
    back = TakingBack(App())
    back.take(found)
    assert (back.label, back.why_not) == (label, why_not)


def test_what_can_be_is_taken_back_and_it_is_said_what_that_was():
    app = App()
    back = TakingBack(app)
    back.take(acts("", ""))
    back.ask()
    assert (app.ordered, app.said, app.asked) == ([(2, False)], ["undone: pause tick"], [])


def test_where_newer_ones_stand_in_the_way_it_asks_and_says_so():
    from tui.theme import DARK, PALETTES

    app = App()
    app.palette = PALETTES[DARK]
    back = TakingBack(app)
    back.take(acts("it was edited", "used", "", ""))
    back.ask()
    said = " ".join(text for line in app.asked[0]._what for text, _ in line)
    assert "act 4 cannot be taken back. Go past it?" in said
    assert "It was edited. " in said
    assert "It and 1 before it stay as they are. What is taken back instead: act 2." in said
    assert app.ordered == []
    app.asked[0]._act("")
    assert app.ordered == [(4, True)]
    assert app.said == ["nothing else can be undone"]


@pytest.mark.parametrize(("width", "named"), [(200, True), (100, False), (60, None)])
def test_the_footer_names_it_where_there_is_room_and_keeps_the_key_longer(filled, drive, width, named):
    async def scenario(pilot):
        app = pilot.app
        await pilot.sees("fix flaky test")
        app.post_message(UndoChanged(acts("edited", "")))

        def footer():
            return "".join(text for text, _ in app.screen.query_one("KeyFooter").lines[0])

        if named is not None:
            await pilot.until(lambda: "u undo" in footer(), "offered")
            assert ("undo: act 1" in footer()) is named
        for screen in ("5", "6", "4"):
            await pilot.press(screen)
            await pilot.pause()
            assert named is None or "u undo" in footer()

    drive(filled.home, scenario, (width, 34))
