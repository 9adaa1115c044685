"""Is the house in order: small files, no option without a reader, nothing left to do later?"""

import ast
import re
from pathlib import Path

import msgspec
import pytest

from engine.config import model

ROOT = Path(__file__).parents[1]
CODE = sorted(path for room in ("state", "engine", "tui") for path in (ROOT / room).rglob("*.py"))
LONGEST = 400


def test_files_are_small():
    long = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in CODE}
    assert {name: lines for name, lines in long.items() if lines > LONGEST} == {}


def test_every_file_says_what_it_is_for():
    assert [path for path in CODE if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_nothing_is_left_for_later():
    """As comments: the recap looks for these words in the files that it reads."""
    mark = re.compile(r"#\s*(TODO|FIXME|XXX|HACK)\b(?! and )")
    assert [str(path) for path in CODE if mark.search(path.read_text())] == []


STRUCTS = [kind for kind in vars(model).values() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
STRUCTS.remove(msgspec.Struct)
KEYS = [(kind.__name__, name) for kind in STRUCTS for name in kind.__struct_fields__]


def reads():
    """Every attribute that is read outside of the configuration's own room, or behind a property of its model."""
    found = set()
    for path in CODE:
        if path.parent.name != "config" or path.name == "model.py":
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                    found.add(node.attr)
    return found


READS = reads()


@pytest.mark.parametrize(("kind", "key"), KEYS)
def test_every_key_is_read_somewhere(kind, key):
    assert key in READS, f"{kind}.{key} has no effect"


def test_a_property_of_the_model_is_read_too():
    names = [name for kind in STRUCTS for name, value in vars(kind).items() if isinstance(value, property)]
    assert names
    assert [name for name in names if name not in READS] == []
