"""What reaches out of the console for an operator? The clipboard, the editor, and an act upon many things at once.

A part of the app: it answers the messages in which lists and pages ask for these. What each needs is imported on its
way, since the first paint must not wait for it.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.contract.orders import Nothing
from state.errors import ConfigError
from state.home import Home
from tui.clean import clean
from tui.console.lending import Lends
from tui.panes import messages as asked
from tui.theme import Palette, Tone

if TYPE_CHECKING:
    from tui.console.many import Many, Thing
    from tui.link import Link
    from tui.reading.feed import Feed
    from tui.screens.overview import Overview


class Hands(Lends):
    """Wired by the console itself, like the part that opens screens."""

    home: Home
    feed: "Feed"
    link: "Link"
    overview: "Overview"
    palette: Palette
    _many: "Many | None" = None

    def flash(self, line: str, tone: Tone = "text") -> None:
        raise NotImplementedError

    def on_copy_asked(self, message: asked.CopyAsked) -> None:
        from tui.terminal import clipboard

        done = clipboard.sent(message.text, os.environ)
        if not done.bytes_out:
            self.flash("this terminal has no clipboard that could be reached", "warn")
            return
        driver = self._driver
        if done.text and driver is not None and not driver.is_headless:
            driver.write(done.bytes_out)
            driver.flush()
        self.flash(clipboard.said(message.what, done, message.again), "warn" if done.left_out else "text")

    def on_editor_asked(self, message: asked.EditorAsked) -> None:
        from tui.terminal import editor

        if not editor.chosen(os.environ):
            self.flash(editor.UNSET, "warn")
        elif message.run_id is not None:
            self._edit_output(message.run_id)
        elif message.path:
            self._edit(Path(message.path), None)
        else:
            self._edit_entry(message.entry)

    def on_many_asked(self, message: asked.ManyAsked) -> None:
        from tui.console import many

        if len(message.things) > many.MOST:
            self.flash(
                f"{len(message.things):,} are marked: at most {many.MOST} at once, so that each is named", "warn"
            )
        elif not message.things:
            self.flash("none of the marked ones can be: nothing is done", "warn")
        elif message.act == "reset":
            read = many.seen_generations(message.things)
            self.feed.once(read, lambda things: self._ask_many(message, things))
        else:
            self._ask_many(message, message.things)

    def _ask_many(self, message: asked.ManyAsked, things: "tuple[Thing, ...]") -> None:
        from tui.console import many
        from tui.screens.confirm import Confirm

        def act(_: str) -> None:
            self.overview.focused_pane.action_unmark()
            self._many = many.Many(self.link, message.act, things, self._say_many)
            self._many.go_on()

        title, what = many.question(message.act, things, message.left_out)
        self.push_screen(Confirm(self.palette, title, what, act))

    def _say_many(self, line: str, good: bool) -> None:
        self._many = None
        self.flash(line, "text" if good else "bad")

    def _edit_entry(self, entry: tuple[str, ...]) -> None:
        """The configuration at this entry; afterwards it is looked at before the engine takes it up."""
        from engine.config.load import load
        from engine.config.locate import line_of
        from engine.runtime.settings import CHECKS

        path = self.home.config_file
        before = _content(path)
        if not self._edit(path, line_of(before.decode("utf-8", "replace"), entry)) or _content(path) == before:
            return
        try:
            load(path, CHECKS)
        except ConfigError as error:
            self.flash(clean(f"not taken up: {error.line.replace(f'{path}:', 'line ')}"), "bad")
            return
        self.link.order("reload", Nothing(), lambda _: self.flash("the configuration is good, and in force"))

    def _edit_output(self, run_id: int) -> None:
        from tui.terminal import editor

        folder = self.home.run_folder(run_id)
        found = [folder / name for name in ("result.txt", "stdout.log") if _content(folder / name)]
        if not found:
            self.flash(f"run {run_id} has said nothing that could be opened", "warn")
            return
        try:
            with editor.copy_of(found[0], f"run-{run_id}-{found[0].name}") as copied:
                self._edit(copied, None)
        except OSError as error:
            self.flash(clean(f"no copy of the output: {error}"), "bad")

    def _edit(self, path: Path, line: int | None) -> bool:
        """Returns whether there was a terminal for it."""
        from tui.terminal import editor

        if self.is_headless:
            self.flash("there is no terminal here to hand over", "bad")
            return False
        with self.lent():
            why = editor.edit(editor.command(editor.chosen(os.environ), path, line))
        self.flash(clean(why) if why else f"{path.name} was open in your editor", "bad" if why else "text")
        return True


def _content(path: Any) -> bytes:
    try:
        return bytes(path.read_bytes())
    except OSError:
        return b""
