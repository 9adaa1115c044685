"""Keys that come in one go, as over a slow link, act in the order in which they were typed."""

import asyncio

from textual import events

from tui.screens.spawn import SpawnSheet


def test_tab_does_not_overtake_the_letters_before_it(world, drive):
    async def scenario(pilot):
        app = pilot.app
        await pilot.until(lambda: app.config is not None, "the configuration is known")
        await pilot.press("s")
        await pilot.until(lambda: isinstance(app.screen, SpawnSheet), "the sheet is open")
        await pilot.press("tab", "tab")
        busy = asyncio.Event()
        app.focused.call_later(busy.wait)
        for key in (*"comm", "tab", "tab", "tab", *"chat"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        asyncio.get_running_loop().call_later(0.1, busy.set)
        await pilot.until(lambda: app.screen.form.values["template"] == "chat", "all of it is typed")
        values = app.screen.form.values
        assert (values["agent"], values["model"]) == ("command", "")

    world.open()
    drive(world.home, scenario)
