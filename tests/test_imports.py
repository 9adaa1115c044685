"""Do imports go one way, and does each room import only what its table lets it?"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("state", "engine", "tui")
EVERYWHERE = {"state", "engine", "engine.config", "engine.contract", "engine.tokens"}
"""What every room of the engine may import, beside itself and what the table adds; the last three have less."""
ALL = None
MAY_IMPORT: dict[str, set[str] | None] = {
    "contract": set(),
    "tokens": {"state", "engine.contract"},
    "config": {"state", "engine.contract"},
    "telemetry": EVERYWHERE,
    "context": EVERYWHERE,
    "sessions": EVERYWHERE | {"engine.context"},
    "admission": EVERYWHERE,
    "scopes": set(),
    "execution": EVERYWHERE,
    "adapters": EVERYWHERE | {"engine.telemetry", "engine.scopes"},
    "schedule": EVERYWHERE,
    "runtime": ALL,
    "proof": ALL,
}

READS_FOREIGN_DATABASES = ("engine/telemetry/foreign.py", "sqlite3")


def files(folder):
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found, folder
    return found


def imported(path):
    """Every module that a file names in an import, wherever the import stands."""
    package = ".".join(path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names if _is_module(f"{module}.{alias.name}"))


def _is_module(name):
    path = ROOT / Path(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def within(module, package):
    return module == package or module.startswith(f"{package}.")


@pytest.mark.parametrize(
    ("room", "forbidden"),
    [
        ("state", ("engine", "tui", "textual", "rich")),
        ("engine", ("tui", "textual", "rich", "sqlite3", "sqlite_utils")),
    ],
)
def test_one_direction(room, forbidden):
    for path in files(room):
        for module in imported(path):
            if (path.relative_to(ROOT).as_posix(), module) == READS_FOREIGN_DATABASES:
                continue
            assert not any(within(module, other) for other in forbidden), f"{path} imports {module}"


def test_nobody_imports_tests():
    for room in ROOMS:
        for path in files(room):
            assert not any(within(module, "tests") for module in imported(path)), path


def test_the_table_names_every_room():
    assert {path.name for path in (ROOT / "engine").iterdir() if (path / "__init__.py").is_file()} == set(MAY_IMPORT)


@pytest.mark.parametrize("room", [room for room, allowed in MAY_IMPORT.items() if allowed is not ALL])
def test_each_room_of_the_engine(room):
    allowed = MAY_IMPORT[room] | {f"engine.{room}"}
    for path in files(f"engine/{room}"):
        for module in imported(path):
            if module.split(".")[0] in ROOMS:
                fine = module in allowed or any(within(module, other) for other in allowed - {"engine"})
                assert fine, f"{path} imports {module}"


def modules_after(code):
    """The top-level modules that a fresh interpreter has after running this."""
    script = f"import sys\n{code}\nsys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stderr.split()}


def test_engine_and_state_load_no_screen():
    every = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files("state")]
    names = ", ".join(["engine.runtime.engine", *(name.removesuffix(".__init__") for name in every)])
    loaded = modules_after(f"import {names}")
    assert {"engine", "state", "asyncio"} <= loaded
    assert not loaded & {"textual", "rich", "tui"}


def test_the_version_loads_next_to_nothing():
    loaded = modules_after('from tui.cli.main import main\nassert main(["--version"]) == 0')
    assert {"tui", "engine"} <= loaded
    assert not loaded & {"textual", "rich", "asyncio", "sqlite3", "msgspec", "argparse"}
