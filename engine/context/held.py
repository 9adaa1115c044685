"""Which skills are not what the operator allowed any more, and what has changed in them?"""

import difflib
import unicodedata
from collections.abc import Sequence

from state.skills import Pin, Skill

_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
"""Letters and marks that show nothing, which their category does not tell."""
_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))


def held(skills: Sequence[Skill], pins: Sequence[Pin]) -> dict[str, str]:
    """Name and reason of every skill that must be allowed anew. One whose name has no pin is allowed at first sight."""
    known: dict[str, dict[str, str]] = {}
    for pin in pins:
        known.setdefault(pin.name, {})[pin.path] = pin.sha256
    reasons = {skill.name: _why(skill, known.get(skill.name, {})) for skill in skills}
    return {name: why for name, why in reasons.items() if why}


def _why(skill: Skill, pinned: dict[str, str]) -> str:
    """Empty when it may be used."""
    if not pinned or pinned.get(skill.path) == skill.sha256:
        return ""
    if skill.path in pinned:
        return f"{skill.path} has changed since it was allowed"
    return f"{skill.path} has taken the name of {', '.join(sorted(pinned))}, which was allowed"


def changes(pin_text: str, now_text: str) -> list[str]:
    """A unified diff from what was allowed to what is there now; what an eye would miss is spelled out."""
    before, after = (text.split("\n") for text in (pin_text, now_text))
    lines = difflib.unified_diff(before, after, "allowed", "now", lineterm="")
    return [visible(line) for line in lines]


def visible(line: str) -> str:
    """The same with control, direction and other hidden characters as `<U+202E>`."""
    if line.isascii() and line.isprintable():
        return line
    return "".join(f"<U+{ord(char):04X}>" if _hidden(char) else char for char in line)


def _hidden(char: str) -> bool:
    if char == " " or (char.isascii() and char.isprintable()):
        return False
    if char in _INVISIBLE or any(ord(char) in selectors for selectors in _SELECTORS):
        return True
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp")
