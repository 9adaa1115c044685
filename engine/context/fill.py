"""How does a text get its values? Plain replacement of the names that are given, in one pass; the rest stays."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec import Struct

from engine.config.model import Template
from engine.config.params import fill, misfit, names_in, paths_of
from engine.config.rules import no_such
from engine.contract.route import Route
from state.errors import Refused

CHANGING = ("trigger", "date", "time")
"""Names whose values differ from run to run: a text that uses one is not the same each time."""
_SHOWN = 60
"""Characters of a value that a message repeats."""


class Words(Struct, frozen=True):
    """What bootstrap and prompt templates may name."""

    agent: str
    task_type: str
    job: str
    """Empty when there is none."""
    workspace: str
    trigger: str
    date: str
    """As `2026-11-21`, in the operator's zone."""
    time: str
    """As `09:41`, in the operator's zone."""

    @property
    def opening(self) -> dict[str, str]:
        """What a text may name that opens a conversation: nothing that changes while it goes on."""
        return {name: value for name, value in self.every.items() if name not in CHANGING}

    @property
    def every(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in self.__struct_fields__}


def words(route: Route, *, job: str | None, workspace: str, trigger: str, now: datetime) -> Words:
    """`now` is in the operator's zone."""
    return Words(
        agent=route.agent,
        task_type=route.task_type,
        job=job or "",
        workspace=workspace,
        trigger=trigger,
        date=f"{now:%Y-%m-%d}",
        time=f"{now:%H:%M}",
    )


def fill_all(texts: Iterable[str], values: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(fill(text, values) for text in texts)


def uses(text: str) -> tuple[str, ...]:
    """The names in a text whose values differ from run to run."""
    found = names_in((text,))
    return tuple(name for name in CHANGING if name in found)


def parameters(name: str, template: Template, given: Mapping[str, str]) -> dict[str, str]:
    """The value of every parameter of a template. Raises Refused for one that is unknown, missing or unsuitable."""
    for unknown in sorted(set(given) - set(template.params)):
        _, fix = no_such("parameter", unknown, template.params)
        raise Refused(f"template {name} has no parameter {_shown(unknown)}", fix)
    values = {key: given.get(key, param.default) for key, param in template.params.items()}
    in_paths = names_in(paths_of(template))
    known = {}
    for key, value in values.items():
        if value is None:
            raise Refused(f"template {name} needs the parameter '{key}'", f"give it: {key}=VALUE")
        if why := misfit(template.params[key], value, key in in_paths):
            raise Refused(f"parameter '{key}' of template {name} cannot be {_shown(value)}: {why}", "give another")
        known[key] = value
    return known


def _shown(value: str) -> str:
    return ascii(value if len(value) <= _SHOWN else f"{value[:_SHOWN]}...")
