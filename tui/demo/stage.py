"""Where does a demo take place? In a temporary folder with a HOME of its own; yours is not even named there."""

from collections.abc import Mapping
from pathlib import Path

from engine.runtime.imports import with_import_path
from state.files import write_private
from state.home import Home
from tui.demo.props import CONFIG, ELSEWHERE, FILES

KEPT_ENV = (
    *("PATH", "LD_LIBRARY_PATH", "TMPDIR", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_TIME", "TZ", "SHELL"),
    *("TERM", "COLORTERM", "TERM_PROGRAM", "NO_COLOR", "COLUMNS", "LINES", "TMUX", "STY", "SSH_CONNECTION", "SSH_TTY"),
    *("EDITOR", "VISUAL", "QUARTERDECK_READ_ONLY"),
    *("TEXTUAL_DRIVER", "TEXTUAL_FPS", "TEXTUAL_COLOR_SYSTEM"),
)
"""What a demo is told of the environment outside: the terminal, the language, and no key, home or setting of yours."""


class Stage:
    """One demo's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.user = folder / "home"
        self.workspace = self.user / "site"
        self.home = Home(
            config=self.user / ".config" / "quarterdeck", state=self.user / ".local" / "state" / "quarterdeck"
        )

    def furnish(self) -> None:
        """Files and a configuration."""
        for name, text in FILES.items():
            path = self.workspace / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        for name in ELSEWHERE:
            (self.workspace.parent / name).mkdir()
        self.home.config.mkdir(mode=0o700, parents=True)
        text = CONFIG.replace("{workspace}", str(self.workspace)).replace("{absent}", str(self.folder / "no-program"))
        write_private(self.home.config_file, text.encode())

    def environ(self, outside: Mapping[str, str]) -> dict[str, str]:
        """What the console and all that it starts are told."""
        kept = {name: outside[name] for name in KEPT_ENV if name in outside}
        return with_import_path(kept | {"HOME": str(self.user)})
