"""Which other terminal programs are measured beside the console? Each in a virtual environment of its own, outside the
tree: below `$QD_BENCH_CACHE`, or `quarterdeck-bench` in the user's cache. One that cannot be had is skipped by name.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

INSTALL_S = 400
TRIVIAL = """
from textual.app import App
from textual.widgets import Static
class A(App):
    def compose(self):
        yield Static("painted")
A().run()
"""


class Peer(NamedTuple):
    """A program, what is installed for it, and what is on its first screen."""

    name: str
    packages: tuple[str, ...]
    mark: str


class Missing(Exception):
    """A peer cannot be had; the text says why."""


PEERS = (
    # With tree-sitter 0.26 it dies at its start more often than not.
    Peer("posting", ("posting", "tree-sitter<0.26"), "Collection"),
    Peer("harlequin", ("harlequin",), "Data Catalog"),
)


def program(peer: Peer) -> str:
    """The path of its program, installed on the first call. Raises Missing."""
    folder = _cache() / peer.name
    found = folder / "bin" / peer.name
    if not found.exists():
        try:
            _run(sys.executable, "-m", "venv", str(folder))
            _run(str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *peer.packages)
        except (OSError, subprocess.SubprocessError) as error:
            raise Missing(f"{peer.name} cannot be installed: {error}") from None
    if not found.exists():
        raise Missing(f"{peer.name} has no program of its name")
    return str(found)


def _cache() -> Path:
    given = os.environ.get("QD_BENCH_CACHE")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "quarterdeck-bench"


def _run(*words: str) -> None:
    subprocess.run(words, check=True, timeout=INSTALL_S, stdout=subprocess.DEVNULL)
