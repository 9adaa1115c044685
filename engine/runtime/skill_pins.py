"""How is a skill allowed? As the file says now, which must be what the operator has looked at."""

from engine.context.skills import read_skill
from engine.contract.orders import AllowSkill
from state.errors import Refused
from state.skills import Pin, Skill


def pin_of(skill: Skill, now_ms: int) -> Pin:
    """What is allowed when a skill is used for the first time: what the file says. Raises NotFound or Refused."""
    text, sha256 = read_skill(skill.path)
    return Pin(skill.name, skill.path, sha256, text, now_ms)


def allow(wanted: AllowSkill, now_ms: int) -> Pin:
    """What is allowed by the operator's word. Raises NotFound, and Refused when the file has changed meanwhile."""
    text, sha256 = read_skill(wanted.path)
    if sha256 != wanted.sha256:
        raise Refused(f"{wanted.path} is not what was shown: it has changed again", "look at it again: qd skills")
    return Pin(wanted.name, wanted.path, sha256, text, now_ms)
