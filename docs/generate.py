"""Write docs/config.md from the typed configuration: every key, its default, and what its docstring says it does."""

import ast
import inspect
import sys
from pathlib import Path

from engine.config import model, routed

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
)


def config_page() -> str:
    """The text of docs/config.md."""
    modules = [ast.parse(inspect.getsource(module)).body for module in (model, routed)]
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


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))
    (HERE / "config.md").write_text(config_page(), encoding="utf-8")
