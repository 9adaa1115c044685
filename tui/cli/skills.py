"""`qd skills ...`: what skills cost, which of them are held, and which sets allow them."""

import argparse
from typing import Any

import msgspec

from engine.config.model import NO_SKILLS
from engine.config.write import Entry
from engine.runtime.boards import skill_board
from engine.runtime.edits import drop_entry, edit
from engine.runtime.settings import load_strict
from state.errors import Refused
from state.skills import Skill
from tui.cli.held_skills import found_here, pins_of, why_held
from tui.cli.verb import Context, Output, Verb, following, listed, no_arguments, noted, table
from tui.text import plural


def _list(context: Context) -> Output:
    """Looked up now; needs no engine."""
    config = load_strict(context.home)
    found = found_here(config)
    held = why_held(found, pins_of(context))
    sets = skill_board(None, config)
    by_name = {skill.name: skill for skill in reversed(found)}
    seen = following(context.home)
    data = {
        "skills": [_skill_view(skill, held, by_name) for skill in found],
        "sets": [_set_view(row.name, row.skills, row.used_by, by_name) for row in sets],
    }
    rows = [(s.name, s.meta_tokens, s.body_tokens, s.origin, _where(s, held, by_name)) for s in found]
    skills_table = table(("skill", "meta", "body", "origin", "where"), rows, right=(1, 2)) if rows else _NONE
    shown = [
        (view["name"], len(view["skills"]), view["meta_tokens"], ", ".join(view["used_by"]), ", ".join(view["missing"]))
        for view in data["sets"]
    ]
    sets_table = table(("set", "skills", "meta", "used by", "missing"), shown, right=(1, 2))
    hint = f"\n\n{len(held)} held until you allow it: qd skills diff NAME, qd skills allow NAME" if held else ""
    text = f"{skills_table}\n\n{sets_table}{hint}"
    return Output(data | seen.view, noted(text, seen.note(context.now_ms)))


_NONE = "No skills found. A skill is a folder with a SKILL.md, for instance in .claude/skills or ~/.agents/skills."


def _skill_view(skill: Skill, held: dict[str, str], first: dict[str, Skill]) -> dict[str, Any]:
    return msgspec.structs.asdict(skill) | {"held": held.get(skill.path), "shadowed_by": _shadow(skill, first)}


def _shadow(skill: Skill, first: dict[str, Skill]) -> str | None:
    """The file that has its name before it: that one is used."""
    path = first[skill.name].path
    return None if path == skill.path else path


def _where(skill: Skill, held: dict[str, str], first: dict[str, Skill]) -> str:
    why, shadow = held.get(skill.path), _shadow(skill, first)
    said = skill.problem or (f"HELD: {why}" if why else skill.path)
    return f"{said}, shadowed by {shadow}" if shadow else said


def _set_view(name: str, skills: tuple[str, ...], used_by: tuple[str, ...], found: dict[str, Skill]) -> dict[str, Any]:
    known = [found[skill] for skill in skills if skill in found]
    return {
        "name": name,
        "skills": list(skills),
        "meta_tokens": sum(skill.meta_tokens for skill in known),
        "body_tokens": sum(skill.body_tokens for skill in known),
        "used_by": list(used_by),
        "missing": [skill for skill in skills if skill not in found],
    }


def _set_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="what to call the set")
    parser.add_argument("skills", nargs="+", help="names of the skills that it allows")
    parser.add_argument("--agent", action="append", help="give the set to this declared agent")


def _set(context: Context) -> Output:
    options = context.options
    names = listed(options.skills)
    known = load_strict(context.home).agents
    entries: list[Entry] = [("skill_set", options.name, {"skills": names})]
    for agent in listed(options.agent):
        adapter = known[agent].adapter if agent in known else None
        entries.append(("agent", agent, {"adapter": adapter, "skills": options.name}))
    config = edit(context.home, entries)
    found = {skill.name: skill for skill in reversed(found_here(config))}
    row = next(row for row in skill_board(None, config) if row.name == options.name)
    view = _set_view(row.name, row.skills, row.used_by, found)
    missing = f" Not found here: {', '.join(view['missing'])}." if view["missing"] else ""
    return Output(
        view,
        f"Skill set {row.name}: {plural(len(row.skills), 'skill')}, {plural(view['meta_tokens'], 'token')} a prompt."
        + missing,
    )


def _name_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="a set's name")


def _remove(context: Context) -> Output:
    name = context.options.name
    users = [user for row in skill_board(None, load_strict(context.home)) if row.name == name for user in row.used_by]
    if users and name != NO_SKILLS:
        raise Refused(
            f"skill set {name} is used by {', '.join(users)}, so nothing was changed", "give them another set first"
        )
    drop_entry(context.home, "skill_set", name)
    return Output({"skill_set": name}, f"Skill set {name} is removed.")


LIST = Verb(no_arguments, _list)
SET = Verb(_set_arguments, _set)
REMOVE = Verb(_name_argument, _remove)
