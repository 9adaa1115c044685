"""`qd skills diff`, `qd skills allow`: what has changed in a skill since it was allowed, and your word on it."""

import argparse
import os
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from engine.config.model import Config
from engine.config.rules import no_such
from engine.context.held import changes, held, visible
from engine.context.skills import discover, read_skill, skill_folders
from engine.contract.clock import iso
from engine.contract.orders import AllowSkill
from engine.runtime.client import Client
from engine.runtime.settings import load_strict
from state import skills
from state.errors import NotFound
from state.skills import Pin, Skill
from tui.cli.asking import needs_operator
from tui.cli.verb import Context, Output, Verb, local


class Look(Struct, frozen=True):
    """One skill as it is now, beside what was allowed."""

    skill: Skill
    text: str
    sha256: str
    """Of just the bytes that `text` was read from."""
    pin: Pin | None
    """What was allowed under this name: of this file, else of another; None before its first use."""
    why: str | None
    """Why it is held, when it is."""

    @property
    def diff(self) -> list[str]:
        return changes(self.pin.text, self.text) if self.pin else []


def found_here(config: Config) -> list[Skill]:
    """What this folder and the agents see, the first of a name first."""
    workspaces = [os.getcwd(), *(agent.workspace for agent in config.agents.values() if agent.workspace)]  # noqa: PTH109
    return discover(skill_folders(os.environ, workspaces, config.skills.folders))


def pins_of(context: Context) -> list[Pin]:
    """Everything that was ever allowed; nothing where there is no state yet."""
    connection = context.reader()
    return skills.pins(connection) if connection else []


def why_held(found: Sequence[Skill], pins: Sequence[Pin]) -> dict[str, str]:
    """Path and reason of those that are held. Of several with one name only the first can be used, or held."""
    first = {skill.name: skill for skill in reversed(found)}
    return {first[name].path: why for name, why in held(list(first.values()), pins).items()}


def _name_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="a skill's name, as qd skills lists it")


def _diff_arguments(parser: argparse.ArgumentParser) -> None:
    _name_argument(parser)
    parser.add_argument("--full", action="store_true", help="the whole text as it is now, too")


def _look(context: Context) -> Look:
    """Read once: what is shown is what can be allowed. Raises NotFound, or Refused when it cannot be read."""
    found = {skill.name: skill for skill in reversed(found_here(load_strict(context.home)))}
    name = context.options.name
    if name not in found:
        raise NotFound(*no_such("skill", name, found))
    text, sha256 = read_skill(found[name].path)
    skill = msgspec.structs.replace(found[name], sha256=sha256)
    pins = [pin for pin in pins_of(context) if pin.name == name]
    pin = next((pin for pin in pins if pin.path == skill.path), pins[0] if pins else None)
    return Look(skill, text, sha256, pin, held([skill], pins).get(name))


def _diff(context: Context) -> Output:
    look, full = _look(context), context.options.full
    lines = [visible(line) for line in look.text.split("\n")]
    data = _view(look) | ({"text": "\n".join(lines)} if full else {})
    return Output(data, _words(look) + ("\n\n" + "\n".join(lines).rstrip() if full else ""))


def _allow(context: Context) -> Output:
    """What is allowed is what is printed here; when the file has changed again by then, nothing is."""
    needs_operator(os.environ)
    look = _look(context)
    client = Client(context.home)
    client.ensure()
    client.order("allow_skill", AllowSkill(look.skill.name, look.skill.path, look.sha256))
    data = _view(look) | {"allowed": True}
    return Output(data, f"{_words(look)}\n\nSkill {look.skill.name} is allowed as it is now.")


def _view(look: Look) -> dict[str, Any]:
    return {
        "name": look.skill.name,
        "path": look.skill.path,
        "held": look.why,
        "sha256": look.sha256,
        "allowed_path": look.pin.path if look.pin else None,
        "allowed_sha256": look.pin.sha256 if look.pin else None,
        "allowed_at": iso(look.pin.allowed_ms) if look.pin else None,
        "diff": look.diff,
    }


def _words(look: Look) -> str:
    from tui.clean import clean

    head = f"skill {look.skill.name}  {look.skill.path}  sha256 {look.sha256[:12]}"
    if look.pin is None:
        said = "No run has used it yet: it is allowed as it is at its first use."
    elif look.why is None:
        said = f"As it was allowed on {local(look.pin.allowed_ms)}."
    else:
        said = f"Held: {look.why}."
        said += "" if look.diff else " The bytes differ, and not in what can be read of them as text."
    return "\n".join([clean(head, 1000), clean(said, 1000), *([""] if look.diff else []), *look.diff])


DIFF = Verb(_diff_arguments, _diff)
ALLOW = Verb(_name_argument, _allow)
