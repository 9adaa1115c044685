"""`qd init` and `qd doctor`."""

import argparse
import os
import shutil
from pathlib import Path

import msgspec

from engine.config.starter import INSTRUCTION_FILES, Machine, starter
from engine.context.skills import discover, skill_folders
from engine.proof.doctor import examine
from engine.runtime.settings import machine_zone
from state.errors import Refused, StateUnwritable
from state.files import write_private
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
    if path.exists():
        raise Refused(f"{path} is there already", "edit it, or look at a fresh one with: qd init --print")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, text.encode())
    except OSError as error:
        raise StateUnwritable(f"cannot write {path}: {error.strerror}", "check the folder, or use --home") from None
    return Output(
        data, f"Wrote {path}. It is good as it stands; every entry that would run something is commented out."
    )


def _doctor(context: Context) -> Output:
    findings = examine(context.home)
    marks = {"ok": "ok", "note": "--", "problem": "NO"}
    rows = [(marks[f.level], f.name, f.text + (f"; {f.fix}" if f.fix else "")) for f in findings]
    data = {"findings": [msgspec.structs.asdict(finding) for finding in findings]}
    return Output(data, table(("", "what", "found"), rows), ok=all(f.level != "problem" for f in findings))


INIT = Verb(_init_arguments, _init)
DOCTOR = Verb(no_arguments, _doctor)
