"""Write docs/config.md from the typed configuration (every key, its default, and what its docstring says it does) and
docs/keys.md from the registry of actions and the keymaps, docs/verbs.md from the verbs of the command line."""

import argparse
import ast
import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

from engine.config import console, model, routed

HERE = Path(__file__).parent
SECTIONS = (
    "Config",
    "EngineConfig",
    "Limits",
    "Waiting",
    "Routed",
    "TaskType",
    "AdapterDefaults",
    "Agent",
    "Template",
    "Param",
    "SkillSet",
    "Skills",
    "Budget",
    "ModelPrice",
    "Job",
    "ConsoleConfig",
    "Alerts",
)

VERBS_HEAD = """\
Generated from `tui/cli/`. Every verb takes `--help`, `--json` and `--home DIR`; `qd --read-only VERB` refuses those
that change something, and `qd --version` says which one it is. Each can be typed after `:` in the console, too. The
answers as JSON are described in [json.md](json.md)."""

KEYS_HEAD = """\
Generated from `tui/actions/`. In the console `?` shows the keys that work where you are, and does what you choose.

`keys` in `[console]` names the keymap to begin with; `[console.keymap]` changes single keys, by the name of the
action: `"session.reset" = "R"`, several with commas, none with `""`. A key is a character, `ctrl+r`, `f5`, `esc`,
`comma`, or two characters one after the other: `g g`. What cannot be is told, in the console and by `qd doctor`,
and the rest holds. A change of the file holds at once."""


def config_page() -> str:
    """The text of docs/config.md."""
    modules = [ast.parse(inspect.getsource(module)).body for module in (model, routed, console)]
    classes = {node.name: node for body in modules for node in body if isinstance(node, ast.ClassDef)}
    parts = [
        "# quarterdeck.toml",
        "",
        "Generated from `engine/config/`. A key that is not here is refused.",
        "",
    ]
    for name in SECTIONS:
        node = classes[name]
        parts += [
            f"## {(ast.get_docstring(node) or name).rstrip('.')}",
            "",
            "| key | default | does |",
            "|---|---|---|",
        ]
        parts += [f"| `{key}` | {default} | {text} |" for key, default, text in _fields(node)]
        parts.append("")
    return "\n".join(parts)


def _fields(node: ast.ClassDef) -> list[tuple[str, str, str]]:
    found = []
    for place, item in enumerate(node.body):
        if not isinstance(item, ast.AnnAssign) or not isinstance(item.target, ast.Name):
            continue
        after = node.body[place + 1] if place + 1 < len(node.body) else None
        if not (isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)):
            continue  # a table of its own, described under its own heading
        default = f"`{ast.unparse(item.value)}`" if item.value else "required"
        found.append((item.target.id, default.replace("|", "\\|"), " ".join(str(after.value.value).split())))
    return found


def keys_page() -> str:
    """The text of docs/keys.md."""
    from tui.actions import ACTIONS, of
    from tui.actions.keymap import PRESETS, Keymap, keymap
    from tui.actions.together import PLACES

    maps = [keymap(preset, {}) for preset in PRESETS]
    parts = [
        "# Keys",
        "",
        *KEYS_HEAD.splitlines(),
        "",
    ]

    def cell(map: Keymap, action: Any) -> str:
        return " ".join(dict.fromkeys(f"`{show(key)}`" for key in map.of(action))) or "-"

    def show(key: str) -> str:
        from tui.actions import show_key

        return show_key(key).replace("|", "\\|")

    for context, title in PLACES.items():
        there = of(context)
        if not there:
            continue
        parts += [f"## {title[0].upper()}{title[1:]}", "", f"| action | {' | '.join(PRESETS)} | does |"]
        parts += [f"|---|{'---|' * len(PRESETS)}---|"]
        for action in there:
            said = f"{action.help}{'; asks first' if action.dangerous else ''}".replace("|", "\\|")
            looks = "" if action.writes else " *"
            parts.append(f"| `{action.name}`{looks} | {' | '.join(cell(map, action) for map in maps)} | {said} |")
        parts.append("")
    parts += [f"{len(ACTIONS)} actions. Those with * are there in a console that only looks, too (`--read-only`).", ""]
    return "\n".join(parts)


def verbs_page() -> str:
    """The text of docs/verbs.md."""
    from tui.cli.commands import COMMANDS
    from tui.cli.flags import HELP
    from tui.cli.verb import Parser

    parts = ["# Verbs", "", *VERBS_HEAD.splitlines(), ""]
    parts += ["## Flags of the console", "", "| flag | does |", "|---|---|"]
    parts += [f"| `{name}` | {said} |" for name, said in HELP]
    for command in COMMANDS:
        module, _, name = command.where.partition(":")
        parser = Parser(prog="qd", add_help=False)
        getattr(importlib.import_module(module), name).arguments(parser)
        said = f"{command.help[0].upper()}{command.help[1:]}.{' Changes something.' if command.writes else ''}"
        parts += ["", f"## `qd {' '.join(command.words)}`", "", said]
        rows = [f"| {_option(action)} | {_told(action)} |" for action in parser._actions]
        parts += ["", "| argument | is |", "|---|---|", *rows] if rows else []
    return "\n".join((*parts, ""))


def _option(action: argparse.Action) -> str:
    """As it is typed."""
    choices = "|".join(map(str, action.choices or ()))
    value = "" if action.nargs == 0 else str(action.metavar or choices or action.dest.upper())
    typed = ", ".join(f"{one} {value}".strip() for one in action.option_strings) or value
    return f"`{typed}`".replace("|", "\\|")


def _told(action: argparse.Action) -> str:
    return (action.help or "").replace("%%", "%").replace("|", "\\|")


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))
    (HERE / "keys.md").write_text(keys_page(), encoding="utf-8")
    (HERE / "verbs.md").write_text(verbs_page(), encoding="utf-8")
    (HERE / "config.md").write_text(config_page(), encoding="utf-8")
