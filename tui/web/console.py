"""The console of one browser page: `python -m tui.web.console --config FOLDER --state FOLDER`, started by the server.

It speaks to the server over pipes, and ends when they do.
"""

import argparse
import os
import sys
from pathlib import Path

from textual.driver import Driver
from textual.drivers.web_driver import WebDriver
from textual.messages import ExitApp

from state.home import Home
from tui.console.app import Console
from tui.options import Flags, here


class Tied(WebDriver):
    """Textual's driver for browsers, which would go on without a server."""

    def run_input_thread(self) -> None:
        super().run_input_thread()
        self._app.post_message(ExitApp())


class WebConsole(Console):
    """The same console in a browser."""

    def get_driver_class(self) -> type[Driver]:
        return Tied


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tui.web.console", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    said = parser.parse_args()
    home = Home(config=said.config, state=said.state)
    os.environ.update({"TERM": "xterm-256color", "COLORTERM": "truecolor"})  # as the page is, wherever the server is
    console = WebConsole(home, said=here(Flags(), home))
    console.run()
    return console.return_code or 0


if __name__ == "__main__":
    sys.exit(main())
