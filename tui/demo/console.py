"""The console of a demo: the real one, which says that it is a demo and may end by itself."""

from state.home import Home
from tui.console.app import Console
from tui.demo.staging import staged
from tui.options import Flags, here
from tui.plain.console import run_plain


class DemoConsole(Console):
    """Everything in it is real but the operator's own."""

    def __init__(self, home: Home, seconds: float | None = None, flags: Flags = Flags()) -> None:  # noqa: B008
        super().__init__(home, said=here(flags, home))
        self._seconds = seconds

    def marks(self) -> list[str]:
        return ["DEMO", *super().marks()]

    def on_mount(self) -> None:
        if self._seconds is not None:
            self.set_timer(self._seconds, lambda: self.exit(0))


def play(flags: Flags, seconds: float | None) -> int:
    """Show the demo until the operator leaves; returns the exit code."""
    with staged() as stage:
        if flags.plain:
            return run_plain(stage.home, flags, seconds)
        console = DemoConsole(stage.home, seconds, flags)
        console.run(mouse=console.options.mouse)
        return console.return_code or 0
