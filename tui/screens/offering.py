"""Is there a configuration yet? Where there is none, the overview offers to write one, until it is told not to."""

from pathlib import Path

from state.errors import StateUnwritable
from state.files import write_private
from state.home import Home, prepare
from tui.screens.screen import DeckScreen

NOTICE = "init"


def is_offered(home: Home) -> bool:
    """Whether nothing is declared, and nobody has said that this is as it should be."""
    return not (home.config_file.exists() or _declined(home).exists())


def decline(home: Home) -> None:
    """Never offer it again. Raises StateUnwritable."""
    prepare(home)
    try:
        write_private(_declined(home), b"")
    except OSError as error:
        raise StateUnwritable(f"cannot write {_declined(home)}: {error.strerror}") from None


def _declined(home: Home) -> Path:
    return home.state / "no-init"


class Offering(DeckScreen):
    """A screen with a line and two keys for that."""

    offers = False

    def notice(self, key: str, line: str, level: str = "error") -> None:
        raise NotImplementedError

    def on_screen_resume(self) -> None:
        """Somebody has read what was written."""
        self.look_for_config()

    def look_for_config(self) -> None:
        """Offer it, or take the offer back."""
        self.offers = self.deck.can_order and is_offered(self.deck.home)
        writes, declines = (self.deck.keymap.named(name) for name in ("init.write", "init.decline"))
        said = f"no configuration: {writes} writes one, {declines} never asks again"
        self.notice(NOTICE, said if self.offers else "", "info")
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("init", "no_init") and not self.offers:
            return False
        return super().check_action(action, parameters)

    def action_init(self) -> None:
        """What was written, and what was found for it, comes as a page."""
        self.deck.link.command("qd init", ["init"])
        self.offers = False
        self.notice(NOTICE, "")
        self.refresh_bindings()

    def action_no_init(self) -> None:
        try:
            decline(self.deck.home)
        except StateUnwritable as error:
            self.deck.tell(error.line, "bad")
            return
        self.look_for_config()
        self.deck.tell("it is not offered again; qd init writes one whenever you like")
