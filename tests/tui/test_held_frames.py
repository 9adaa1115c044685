"""While a terminal has not read one frame, is none painted on top of it, and is it current once it has read?"""

import itertools

from tui.screens.confirm import Confirm
from tui.terminal.driver import CaughtUp, Terminal


class Slow(Terminal):
    """A terminal that takes one frame at a time."""

    behind = False
    hung_up = False
    is_headless = is_inline = False

    def __init__(self, ours):
        self.sent = []
        self.send_message = ours.send_message

    def write(self, data):
        self.sent.append(data)

    def flush(self):
        pass


def test_nothing_is_painted_while_a_frame_is_on_its_way_and_then_how_things_are_now(filled, drive):
    async def scenario(pilot):
        await pilot.sees("fix flaky test", "vendor survey")
        app, slow = pilot.app, Slow(pilot.app._driver)
        ours, app._driver = app._driver, slow
        try:
            slow.behind = True
            app.overview.flash("the first word")
            await pilot.until(lambda: slow.sent, "the frame that the terminal does not read")
            on_its_way = len(slow.sent)
            for number in range(20):
                app.overview.flash(f"word {number}")
                await pilot.pause()
            assert len(slow.sent) == on_its_way
            slow.behind = False
            app.post_message(CaughtUp())
            await pilot.until(lambda: "word 19" in "".join(slow.sent), "what holds now is painted")
            assert "word 18" not in "".join(slow.sent)
        finally:
            app._driver = ours

    drive(filled.home, scenario)


def test_a_terminal_that_was_resized_meanwhile_is_painted_whole(filled, drive):
    async def scenario(pilot):
        await pilot.sees("fix flaky test")
        app, slow = pilot.app, Slow(pilot.app._driver)
        ours, app._driver = app._driver, slow
        try:
            slow.behind = True
            app.overview.flash("the first word")
            await pilot.until(lambda: slow.sent, "the frame that the terminal does not read")
            slow.sent.clear()
            app._display(app.screen, app.screen._compositor.render_update(full=True))  # as after a resize
            assert slow.sent == []
            slow.behind = False
            app.post_message(CaughtUp())
            await pilot.until(lambda: "1 Sessions" in "".join(slow.sent).replace("\x1b[", ""), "all of it is painted")
        finally:
            app._driver = ours

    drive(filled.home, scenario)


def test_no_key_acts_on_what_nobody_has_seen(filled, drive):
    """The job fires, or Enter does what a dialog asks, only once the terminal has shown what it would be about."""

    async def scenario(pilot):
        await pilot.press("2")
        await pilot.sees("fix flaky test", "health-check")
        app, slow, asked, done = pilot.app, Slow(pilot.app._driver), [], []
        app.link.order = lambda kind, *_: asked.append(kind)
        ours, app._driver = app._driver, slow
        try:
            slow.behind = True
            app.overview.flash("the first word")
            await pilot.until(lambda: not app.seen, "the terminal reads no more")
            await pilot.press("f")
            confirm = Confirm(app.palette, "Really?", ("It is done.",), done.append)
            confirm.clock = itertools.count(100).__next__
            await app.push_screen(confirm)
            await pilot.press("enter", "enter")
            assert (asked, done) == ([], [])
            slow.behind = False
            app.post_message(CaughtUp())
            await pilot.until(lambda: app.seen, "it reads again")
            await pilot.press("enter")
            assert done == []
            await pilot.press("enter")
            assert done == [""]
            await pilot.press("f")
            assert asked == ["fire"]
        finally:
            app._driver = ours

    drive(filled.home, scenario)
