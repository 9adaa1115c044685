"""A home full of logs that mislead: does `qd usage` still tell exactly what was used?"""

import importlib
import os
import pkgutil
import shutil
from collections import Counter, defaultdict

import pytest
import zstandard

import tests.traps
from tests.traps import codex_rollout, gemini

COUNTED = ("responses", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")


def all_traps():
    """Every trap of every client, each once."""
    found = {}
    for module in pkgutil.iter_modules(tests.traps.__path__, "tests.traps."):
        for trap in getattr(importlib.import_module(module.name), "TRAPS", ()):
            found[trap.source, trap.name] = trap
    return list(found.values())


def told(expected):
    return Counter({name: getattr(expected, name) for name in COUNTED})


REUSED = {"codex": codex_rollout.thread_id(1)[:8], "gemini": gemini.SESSION[:8]}
"""How the ids begin that every trap of a client gives to its sessions."""
DATABASES = {"openclaw", "opencode"}
"""Clients whose traps share a database, or the ids in it."""


def files_below(folder):
    return [path for path in sorted(folder.rglob("*")) if not path.is_dir()]


def with_own_ids(trap, built, number):
    """Sessions of one machine have different ids, and so have responses: rewrite those that traps have in common."""
    old = REUSED.get(trap.source)
    if old is None:
        return
    new = f"{0xA0000000 + number:08x}"

    def own(content):
        return content.replace(old.encode(), new.encode()).replace(b'"resp_', b'"resp_%s' % new.encode())

    for path in files_below(built):
        target = built / str(path.relative_to(built)).replace(old, new)
        target.parent.mkdir(parents=True, exist_ok=True)
        status, content = path.stat(), path.read_bytes()
        path.unlink()
        if path.suffix == ".zst":
            with zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True) as plain:
                content = zstandard.compress(own(plain.read()))
        else:
            content = own(content)
        target.write_bytes(content)
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def placed(trap, built, homes):
    """Move what a trap has built into the first home that has room for it."""
    names = [path.relative_to(built) for path in files_below(built)]
    home = next(home for home in homes if has_room(home, trap, names))
    for name in names:
        target = home.home / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (built / name).rename(target)
    home.traps.append(trap)
    return home


def has_room(home, trap, names):
    if trap.source in DATABASES and any(other.source == trap.source for other in home.traps):
        return False
    return not any((home.home / name).exists() for name in names)


@pytest.fixture
def make_desk(desk, tmp_path):
    """Further desks, each with a HOME of its own."""
    made = []

    def make(name):
        made.append(type(desk)(tmp_path / name))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def homes(make_desk):
    """Homes without end, each a desk of its own."""

    class Homes:
        def __init__(self):
            self.used = []

        def __iter__(self):
            yield from self.used
            while True:
                desk = make_desk(f"home{len(self.used)}")
                desk.traps, desk.expected = [], defaultdict(Counter)
                self.used.append(desk)
                yield desk

    return Homes()


def test_homes_full_of_traps_add_up_exactly(homes, make_desk, tmp_path):
    """As many traps as possible in one home; the others, whose files or ids collide, in further ones."""
    for number, trap in enumerate(all_traps()):
        built = tmp_path / f"built{number}"
        built.mkdir()
        expected = trap.build(built)
        with_own_ids(trap, built, number)
        placed(trap, built, homes).expected[trap.source] += told(expected)
        shutil.rmtree(built)

    for desk in homes.used:
        answer = desk.json("usage", "--by", "source")
        by_source = {row["source"]: Counter({name: row[name] for name in COUNTED}) for row in answer["rows"]}
        assert by_source == desk.expected, [trap.name for trap in desk.traps]
        assert answer["coverage"]["files_unreadable"] == 0
    fullest = homes.used[0]
    assert fullest.json("usage") == fullest.json("usage"), "looking again changes nothing"
    assert sum(len(desk.traps) for desk in homes.used) == len(all_traps()) > 0
