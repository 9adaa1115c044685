"""Which skills wait for the operator's word, and what does the page of one show beside what was allowed of it?

What is shown is what is answered: a skill goes back with the hash of the file as it was read for the page.
"""

from collections.abc import Callable

from msgspec import Struct

from state import skills
from state.errors import QuarterdeckError
from tui.clean import clean, clean_whole
from tui.reading.snapshot import Gone, Reading


class SkillPage(Struct, frozen=True):
    """A skill as it is now, beside what was allowed of it."""

    name: str
    path: str
    why: str
    """Why it must be allowed anew; empty when it need not."""
    sha256: str
    changes: tuple[str, ...]
    """The difference to what was allowed, cleaned; empty when nothing of this file was."""
    text: tuple[str, ...]
    """All of it, cleaned."""
    others: tuple[str, ...] = ()
    """Other files of this name that are held, too: allowing this one leaves them as they are."""


def held_skills(found: list[skills.Skill], pins: list[skills.Pin]) -> dict[str, str]:
    """By path, why a skill must be allowed anew.

    A name that stands in several places is nobody's trouble while one of them is what was allowed.
    """
    from engine.context.held import held

    allowed = {pin.name for pin in pins for skill in found if (pin.path, pin.sha256) == (skill.path, skill.sha256)}
    pinned = {pin.path for pin in pins}
    whys = {skill.path: why for skill in found for why in held([skill], pins).values()}
    names = {skill.path: skill.name for skill in found}
    return {clean(path): clean(why) for path, why in whys.items() if path in pinned or names[path] not in allowed}


def skill_page(name: str, path: str, why: str) -> Callable[[Reading], SkillPage | Gone]:
    """Reads the file, so it belongs in the feed's thread."""

    def read(reading: Reading) -> SkillPage | Gone:
        from engine.context.held import changes
        from engine.context.skills import read_skill

        try:
            text, sha256 = read_skill(path)
        except QuarterdeckError as error:
            return Gone(clean(error.line))
        pins, found = skills.pins(reading.connection), skills.found(reading.connection)
        known = {pin.path: pin.text for pin in pins if pin.name == name}
        paths = {clean(skill.path) for skill in found if clean(skill.name) == name}
        before = known.get(path, next(iter(known.values()), None))
        return SkillPage(
            name=name,
            path=path,
            why=why,
            sha256=sha256,
            changes=() if before is None else tuple(_lines(changes(before, text))),
            text=tuple(clean_whole(text)),
            others=tuple(sorted(held for held in held_skills(found, pins) if held in paths and held != path)),
        )

    return read


def _lines(diff: list[str]) -> list[str]:
    return [whole for line in diff for whole in clean_whole(line)]
