"""What may a template's parameters be, and where do they stand in it? `engine.context.fill` fills them in."""

import re
from collections.abc import Iterable, Mapping

from engine.config.model import Param, Template

PLACEHOLDER = re.compile(r"\{([A-Za-z0-9_-]+)\}")
"""`{name}`: everything else in braces is plain text."""


def fill(text: str, values: Mapping[str, str]) -> str:
    """Each `{name}` that has a value, once: what stands in a value is not filled again."""
    return PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)


def names_in(texts: Iterable[str]) -> set[str]:
    """Every name that stands in braces in one of these."""
    return {name for text in texts for name in PLACEHOLDER.findall(text)}


def paths_of(template: Template) -> tuple[str, ...]:
    """The texts of a template that are paths."""
    return (*(template.inject or ()), *template.can_read, *template.can_write)


def misfit(param: Param, value: str, in_path: bool) -> str:
    """Why a value does not suit its parameter; empty when it does. `in_path`: whether it becomes part of a path."""
    if param.type == "text":
        return ""
    if not value or not value.isprintable():
        return "it is empty" if not value else "it has characters that cannot be printed"
    if param.type == "number":
        return "" if re.fullmatch(r"[0-9]+", value) else "a number has digits only"
    if param.type == "path":
        inside = not value.startswith(("/", "~")) and ".." not in value.split("/")
        return "" if inside else "a path is relative to the workspace and stays inside of it"
    if any(char.isspace() for char in value):
        return "a word has no blanks"
    return "a word that stands in a path has no / and is not .." if in_path and ("/" in value or value == "..") else ""
