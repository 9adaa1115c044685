"""How does an operator's edit of the configuration get on record, so that it can be taken back?

The file is written here, where the operator is; the journal is the engine's. Hence a note is left in the spool: an
engine that runs takes it up at once, else the next one does.
"""

import contextlib
import os
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from engine.config.model import Config
from engine.config.write import Entry, left_by, sha256_of, write
from engine.contract.orders import Edited, EditedEntry
from engine.runtime.settings import CHECKS
from state import spool
from state.errors import Refused, StateUnwritable
from state.files import write_private
from state.home import Home, prepare

LIFETIME_MS = 90 * 86_400_000
"""A note has no effect but that it is known: it may wait for an engine."""


def put_entry(home: Home, section: str, name: str, values: Mapping[str, Any]) -> Config:
    """Add or replace the keys of `[section.name]`. Raises as `engine.config.write.put_entry` does."""
    return edit(home, [(section, name, values)])


def drop_entry(home: Home, section: str, name: str) -> Config:
    """Remove `[section.name]`. Raises as `engine.config.write.drop_entry` does."""
    return edit(home, [(section, name, None)])


def edit(home: Home, entries: Sequence[Entry]) -> Config:
    """Make all these edits or none, as one act of the operator."""
    written = write(home.config_file, entries, CHECKS)
    if written.after != (written.before or ""):
        verb, subject = act_of(entries, tomllib.loads(written.before or ""))
        left = tuple(EditedEntry(*entry) for entry in left_by(entries, written.after))
        _note(home, Edited(verb, subject, written.before, sha256_of(written.after), left))
    return written.config


def unrecorded(home: Home) -> list[tuple[spool.Order, str]]:
    """Edits that wait for an engine to be put on record, the newest first: who made each, and what it was."""
    found: list[tuple[spool.Order, str]] = []
    for order in reversed(spool.waiting(home, "edited")):
        with contextlib.suppress(msgspec.DecodeError):
            note = msgspec.json.decode(order.body, type=Edited)
            found.append((order, f"{note.verb} {note.subject}"))
    return found


def first(home: Home, text: str) -> None:
    """Write the first configuration. Raises Refused where there is one, and StateUnwritable."""
    path = home.config_file
    if path.exists():
        raise Refused(f"{path} is there already", "edit it, or look at a fresh one with: qd init --print")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, text.encode())
    except OSError as error:
        raise StateUnwritable(f"cannot write {path}: {error.strerror}", "check the folder, or use --home") from None
    _note(home, Edited("create", "the configuration", None, sha256_of(text)))


def _note(home: Home, note: Edited) -> None:
    """Runs are not the operator."""
    if spool.RUN in os.environ:
        return
    with contextlib.suppress(StateUnwritable, OSError):  # what was written stays; only taking it back does not
        prepare(home)
        spool.put(home, "edited", note, LIFETIME_MS)


def act_of(entries: Sequence[Entry], before: Mapping[str, Any]) -> tuple[str, str]:
    """Verb and subject of an edit, in words."""
    (section, name, values), *others = entries
    known = name in before.get(section, {})
    if section == "job" and known and values is not None and list(values) == ["enabled"]:
        return ("pause" if values["enabled"] is False else "resume"), name
    verb = "delete" if values is None else "edit" if known else "create"
    more = f" and {len(others)} more" if others else ""
    return verb, f"{section.replace('_', ' ')} {name}{more}"
