"""What does a skill set allow of the skills that are here, and what does that cost a prompt?"""

import hashlib
from collections.abc import Sequence

from msgspec import Struct

from engine.config.model import NO_SKILLS, Config
from engine.config.rules import no_such
from state.skills import Skill


class SkillProblem(Struct, frozen=True):
    """Why a skill that a set allows cannot be offered."""

    name: str
    why: str
    fix: str


class SkillCost(Struct, frozen=True):
    """What a set of skills costs."""

    count: int
    meta_tokens: int
    """In every prompt."""
    body_tokens: int
    """When every one of them is used."""


def names_of(config: Config, name: str) -> tuple[str, ...]:
    """The skills of a set; `none` is empty."""
    return () if name == NO_SKILLS else config.skill_set[name].skills


def allowed(names: Sequence[str], found: Sequence[Skill]) -> tuple[list[Skill], list[SkillProblem]]:
    """The skills of these names in their order, and one problem for each that is missing or cannot be used.

    Where several folders have a name, the first one found has it.
    """
    by_name = {skill.name: skill for skill in reversed(found)}
    skills: list[Skill] = []
    problems: list[SkillProblem] = []
    for name in dict.fromkeys(names):
        skill = by_name.get(name)
        if skill is None:
            problems.append(SkillProblem(name, f"skill {name} is not found", no_such("skill", name, by_name)[1]))
        elif skill.problem:
            problems.append(SkillProblem(name, f"skill {name} cannot be used: {skill.problem}", f"mend {skill.path}"))
        else:
            skills.append(skill)
    return skills, problems


def set_hash(skills: Sequence[Skill]) -> str | None:
    """Of the names and contents, whatever their order; None without any."""
    said = "\n".join(sorted(f"{skill.sha256} {skill.name}" for skill in skills))
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest() if skills else None


def set_cost(skills: Sequence[Skill]) -> SkillCost:
    return SkillCost(
        len(skills), sum(skill.meta_tokens for skill in skills), sum(skill.body_tokens for skill in skills)
    )
