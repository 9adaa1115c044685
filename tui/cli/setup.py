"""`qd init` and `qd doctor`."""

import argparse
import os
import shutil
from pathlib import Path

import msgspec

from engine.config.starter import INSTRUCTION_FILES, Machine, starter
from engine.context.skills import discover, skill_folders
from engine.proof.doctor import examine
from engine.proof.finding import Finding
from engine.runtime.edits import first
from engine.runtime.settings import machine_zone
from state.home import Home
from tui.cli.read_only import is_read_only
from tui.cli.verb import Context, Output, Verb, no_arguments, table


def _init_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--print", action="store_true", dest="only_print", help="print it and write nothing")


def _init(context: Context) -> Output:
    here = Path.cwd()
    machine = Machine(
        clis={name: cli for name in ("claude", "codex", "gemini", "opencode") if (cli := shutil.which(name))},
        instructions=tuple(name for name in INSTRUCTION_FILES if (here / name).is_file()),
        skills=tuple(skill.name for skill in discover(skill_folders(os.environ, [str(here)], ()))),
        workspace=str(here),
        timezone=machine_zone(),
    )
    text = starter(machine)
    path = context.home.config_file
    data = {"path": str(path), "machine": msgspec.structs.asdict(machine)}
    if context.options.only_print:
        return Output(data | {"text": text}, text.rstrip())
    first(context.home, text)
    return Output(data, "\n".join(_written(path, machine)))


def _written(path: Path, machine: Machine) -> tuple[str, ...]:
    """What was done, in words."""
    rows = (
        ("agent CLIs", ", ".join(machine.clis) or "none on the PATH", "their sessions show up by themselves"),
        ("read here", ", ".join(machine.instructions) or "none", "the examples inject the first of them"),
        ("skills", _few(machine.skills), "an example makes a set of the first three"),
        ("time zone", machine.timezone, "of days, budgets and cron fields"),
    )
    return (
        f"Wrote {path}. It is good as it stands; every entry that would run something is commented out.",
        "",
        table(("", "found", "what for"), rows),
        "",
        "Take the # away from what you want: a running engine notices, and says where a mistake is.",
        "What is usable here: qd doctor. The keys that matter: qd tour. All of it at work, on fake data: qd demo.",
    )


def _few(names: tuple[str, ...]) -> str:
    """As many as can be read at a glance."""
    return ", ".join(names[:_GLANCE]) + (f" and {len(names) - _GLANCE} more" if len(names) > _GLANCE else "") or "none"


_GLANCE = 4


def _doctor(context: Context) -> Output:
    findings = [*examine(context.home, is_read_only(os.environ)), *_keys(context.home)]
    marks = {"ok": "ok", "note": "--", "problem": "NO"}
    rows = [(marks[f.level], f.name, f.text + (f"; {f.fix}" if f.fix else "")) for f in findings]
    data = {"findings": [msgspec.structs.asdict(finding) for finding in findings]}
    return Output(data, table(("", "what", "found"), rows), ok=all(f.level != "problem" for f in findings))


def _keys(home: Home) -> list[Finding]:
    """What the console would say of its keymap."""
    from tui.actions.keymap import keymap
    from tui.options import declared_in

    console = declared_in(home).console
    problems = keymap(console.keys, console.keymap).problems
    told = f"{console.keys} keys" + (f", {len(console.keymap)} of your own" if console.keymap else "")
    return [Finding("keys", "problem", line) for line in problems] or [Finding("keys", "ok", told)]


INIT = Verb(_init_arguments, _init)
DOCTOR = Verb(no_arguments, _doctor)
