"""Where does Quarterdeck keep things on this machine, and is that place fit to be written?

Configuration and state are two folders, or one when `--home` or QUARTERDECK_HOME names it.
"""

import os
import pwd
import stat
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from state.errors import StateUnwritable, UsageError


class Home(Struct, frozen=True):
    """The two folders, and the name of everything in them."""

    config: Path
    state: Path

    @property
    def config_file(self) -> Path:
        return self.config / "quarterdeck.toml"

    @property
    def config_in_force(self) -> Path:
        """The last configuration that was good: what the engine works by while an edit is broken."""
        return self.state / "in-force.toml"

    @property
    def database(self) -> Path:
        return self.state / "quarterdeck.db"

    @property
    def lock(self) -> Path:
        """Held with flock by the engine for as long as it lives; says who it is."""
        return self.state / "engine.lock"

    @property
    def bell(self) -> Path:
        """A FIFO that consoles ring after leaving an order, so that the engine need not poll."""
        return self.state / "bell"

    @property
    def log(self) -> Path:
        return self.state / "engine.log"

    @property
    def orders(self) -> Path:
        return self.state / "orders"

    @property
    def previews(self) -> Path:
        return self.state / "previews"

    @property
    def consoles(self) -> Path:
        """One locked file per attached console: the lock vanishes with the process, however it dies."""
        return self.state / "consoles"

    @property
    def seen(self) -> Path:
        """Until when a console was open."""
        return self.state / "seen.json"

    @property
    def runs(self) -> Path:
        return self.state / "runs"

    @property
    def agents(self) -> Path:
        """What adapters keep for themselves between runs."""
        return self.state / "agents"

    def run_folder(self, run_id: int) -> Path:
        return self.runs / str(run_id)

    @property
    def folders(self) -> tuple[Path, ...]:
        return (self.state, self.orders, self.previews, self.consoles, self.runs, self.agents)


def find_home(flag: str | None, environ: Mapping[str, str]) -> Home:
    """The home that `--home`, QUARTERDECK_HOME or the XDG variables name, in this order."""
    one = flag or environ.get("QUARTERDECK_HOME")
    if one:
        folder = Path(one).expanduser().absolute()
        return Home(config=folder, state=folder)
    user = _absolute(environ.get("HOME")) or _listed()
    config = _absolute(environ.get("XDG_CONFIG_HOME")) or user / ".config"
    state = _absolute(environ.get("XDG_STATE_HOME")) or user / ".local" / "state"
    return Home(config=config.absolute() / "quarterdeck", state=state.absolute() / "quarterdeck")


def _listed() -> Path:
    """Of whom HOME says nothing, the folder that the system has for them. Raises UsageError where it has none."""
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir).absolute()
    except KeyError:
        raise UsageError("qd: there is no HOME, and no user of our number", "set it, or say --home DIR") from None


def _absolute(path: str | None) -> Path | None:
    """The XDG specification: a relative path is invalid and ignored."""
    return Path(path) if path and path.startswith("/") else None


def prepare(home: Home) -> None:
    """Make the state folders, private to their owner.

    Raises StateUnwritable when they cannot be made or written, or when someone else could write them:
    whoever can write an order can spend the operator's money.
    """
    try:
        for folder in (*reversed(home.state.parents), *home.folders):
            folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StateUnwritable(
            f"cannot write the state folder {home.state}: {error.strerror}",
            "make it writable or name another with --home",
        ) from None
    for folder in home.folders:
        check_private(folder)


def check_private(folder: Path) -> None:
    """Raise StateUnwritable unless `folder` is ours, private and writable."""
    info = folder.stat()
    if info.st_uid != os.geteuid():
        raise StateUnwritable(f"the state folder {folder} belongs to user {info.st_uid}", "name your own with --home")
    if info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise StateUnwritable(f"others can write the state folder {folder}", f"run: chmod 700 {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StateUnwritable(f"cannot write the state folder {folder}", "make it writable or name another with --home")
