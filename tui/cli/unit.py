"""`qd engine install`, `qd engine uninstall`: the engine as a user unit of systemd."""

import argparse
import os
from pathlib import Path

from engine.contract.orders import Nothing
from engine.proof.install import UNIT, linger_command, lingers, systemd, unit_path, unit_text
from engine.runtime.client import Client
from engine.runtime.settings import load_strict
from state.errors import StateUnwritable
from state.files import write_private
from tui.cli.verb import Context, Output, Verb, no_arguments

_RELOAD = ("systemctl", "--user", "daemon-reload")
_ENABLE = ("systemctl", "--user", "enable", "--now", UNIT)
_DISABLE = ("systemctl", "--user", "disable", "--now", UNIT)


def _install_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--print", action="store_true", dest="only_print", help="print the unit and write nothing")


def _install(context: Context) -> Output:
    path, text = unit_path(os.environ), unit_text(context.home, load_strict(context.home), os.environ)
    if context.options.only_print:
        return Output({"path": str(path), "text": text}, text.rstrip())
    _write(path, text)
    _make_room(context)
    trouble = _all_of(_RELOAD, _ENABLE)
    lingering = lingers()
    said = [f"Wrote {path}."]
    if trouble is None:
        said.append("systemd keeps the engine from now on.")
    else:
        said.append(f"systemctl did not take it ({trouble}). Run: {_line(_RELOAD)} && {_line(_ENABLE)}")
    if lingering is not True:
        said.append(f"It starts when you log in; to have it start at boot, run: {linger_command()}")
    data = {"path": str(path), "enabled": trouble is None, "why": trouble, "lingering": lingering}
    return Output(data, "\n".join(said))


def _uninstall(context: Context) -> Output:
    path = unit_path(os.environ)
    if not path.exists():
        return Output({"path": str(path), "removed": False, "why": None}, f"There is no {path}.")
    trouble = _all_of(_DISABLE)
    path.unlink()
    trouble = trouble or _all_of(_RELOAD)
    said = f"Removed {path}; live runs go on."
    if trouble is not None:
        said += f" systemctl did not take it ({trouble}). Run: {_line(_DISABLE)} && {_line(_RELOAD)}"
    return Output({"path": str(path), "removed": True, "why": trouble}, said)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, text.encode())
    except OSError as error:
        raise StateUnwritable(f"cannot write {path}: {error.strerror}", "check the folder, or use --print") from None


def _make_room(context: Context) -> None:
    """There is one engine: one that is not systemd's gives way, and live runs go on."""
    client = Client(context.home)
    found = client.holder()
    if found is not None and found.ready:
        client.order("shutdown", Nothing())
        client.wait_gone(found)


def _all_of(*commands: tuple[str, ...]) -> str | None:
    """The first trouble that there is with these."""
    for words in commands:
        trouble = systemd(*words)
        if trouble is not None:
            return trouble
    return None


def _line(words: tuple[str, ...]) -> str:
    return " ".join(words)


INSTALL = Verb(_install_arguments, _install)
UNINSTALL = Verb(no_arguments, _uninstall)
