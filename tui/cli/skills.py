"""`qd skills ...`: what skills cost, and which sets allow them."""

import argparse
import os
from typing import Any

import msgspec

from engine.config.model import Config
from engine.config.write import drop_entry, put_entry
from engine.context.skills import discover, skill_folders
from engine.runtime.boards import skill_board
from engine.runtime.settings import CHECKS, load_strict
from state.skills import Skill
from tui.cli.verb import Context, Output, Verb, listed, no_arguments, table


def _found(config: Config) -> list[Skill]:
    """Looked up now: needs neither engine nor state."""
    workspaces = [os.getcwd(), *(agent.workspace for agent in config.agents.values() if agent.workspace)]  # noqa: PTH109
    return discover(skill_folders(os.environ, workspaces, config.skills.folders))


def _list(context: Context) -> Output:
    config = load_strict(context.home)
    found = _found(config)
    sets = skill_board(None, config)
    by_name = {skill.name: skill for skill in reversed(found)}
    data = {
        "skills": [msgspec.structs.asdict(skill) for skill in found],
        "sets": [_set_view(row.name, row.skills, row.used_by, by_name) for row in sets],
    }
    rows = [(s.name, s.meta_tokens, s.body_tokens, s.origin, s.problem or s.path) for s in found]
    skills_table = table(("skill", "meta", "body", "origin", "where"), rows, right=(1, 2)) if rows else _NONE
    shown = [
        (view["name"], len(view["skills"]), view["meta_tokens"], ", ".join(view["used_by"]), ", ".join(view["missing"]))
        for view in data["sets"]
    ]
    return Output(
        data, f"{skills_table}\n\n{table(('set', 'skills', 'meta', 'used by', 'missing'), shown, right=(1, 2))}"
    )


_NONE = "No skills found. A skill is a folder with a SKILL.md, for instance in .claude/skills or ~/.agents/skills."


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
    config = put_entry(context.home.config_file, "skill_set", options.name, {"skills": names}, CHECKS)
    for agent in listed(options.agent):
        adapter = config.agents[agent].adapter if agent in config.agents else None
        config = put_entry(
            context.home.config_file, "agent", agent, {"adapter": adapter, "skills": options.name}, CHECKS
        )
    found = {skill.name: skill for skill in reversed(_found(config))}
    row = next(row for row in skill_board(None, config) if row.name == options.name)
    view = _set_view(row.name, row.skills, row.used_by, found)
    missing = f" Not found here: {', '.join(view['missing'])}." if view["missing"] else ""
    return Output(
        view, f"Skill set {row.name}: {len(row.skills)} skills, {view['meta_tokens']} tokens a prompt.{missing}"
    )


def _name_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="a set's name")


def _remove(context: Context) -> Output:
    drop_entry(context.home.config_file, "skill_set", context.options.name, CHECKS)
    return Output({"skill_set": context.options.name}, f"Skill set {context.options.name} is removed.")


LIST = Verb(no_arguments, _list)
SET = Verb(_set_arguments, _set)
REMOVE = Verb(_name_argument, _remove)
