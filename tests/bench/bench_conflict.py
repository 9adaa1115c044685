"""How long does a decision take with 100 live claims on a tree of 20,000 files, and with patterns made to be slow?

The baselines are of the same run: one walk of the tree with `os.walk`, and `fnmatch` of every file with every claim.
"""

import os
import random
import time
from fnmatch import fnmatchcase

import msgspec
import pytest

from engine.scopes.conflict import HeldScope, clash, decide
from engine.scopes.scope import Scope, resolve_scope

FILES = 20_000
FOLDERS = 1_000
CLAIMS = 100


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """`FILES` in `FOLDERS`, some links among them and some files of two names."""
    root = tmp_path_factory.mktemp("tree") / "w"
    for number in range(FOLDERS):
        folder = root / f"pkg{number % 20}" / f"mod{number % 100}" / f"part{number}"
        folder.mkdir(parents=True)
        for each in range(FILES // FOLDERS):
            (folder / f"f{each}.{('py', 'md', 'txt')[each % 3]}").write_text("")
    (root / "linked").mkdir()
    for number in range(20):
        (root / "linked" / f"l{number}").symlink_to(f"../pkg{number}/mod{number}")
        os.link(root / f"pkg{number}/mod{number}/part{number}/f0.py", root / "linked" / f"h{number}.py")
    return root


def claims(root, texts):
    scopes = [msgspec.json.decode(msgspec.json.encode(resolve_scope(root, text)), type=Scope) for text in texts]
    return [HeldScope(number, "a", str(root), tuple(texts[number]), scope) for number, scope in enumerate(scopes)]


def mixed(number):
    """Literal paths, folders and globs, each in its own corner."""
    corner = f"pkg{number % 20}/mod{number % 100}"
    return [
        [f"{corner}/part{number}/f1.md", f"{corner}/new{number}"],
        [f"{corner}/part{number}"],
        [f"{corner}/part{number}/*.md", f"{corner}/part{number}/{{a,b}}/*"],
        [f"{corner}/**/{number}*.rs"],
    ][number % 4]


def fastest(ask, number=5):
    took = []
    for _ in range(number):
        started = time.perf_counter()
        answer = ask()
        took.append(time.perf_counter() - started)
    return min(took) * 1e3, max(took) * 1e3, answer


def test_a_decision(tree):
    walk_ms, _, count = fastest(lambda: sum(len(files) for _, _, files in os.walk(tree)))
    paths = [os.path.join(folder, name) for folder, _, names in os.walk(tree) for name in names]  # noqa: PTH118
    chance = random.Random(1)
    globs = [f"{tree}/pkg{chance.randrange(20)}/*/*{number}/*.md" for number in range(CLAIMS)]
    match_ms, _, _ = fastest(lambda: [any(fnmatchcase(path, glob) for path in paths) for glob in globs[:10]], 1)
    print(f"\n{count:,} files, {CLAIMS} live claims")
    print(f"  os.walk, once                       {walk_ms:8.1f} ms")
    print(f"  fnmatch of every file with 100      {match_ms * 10:8.1f} ms")
    kinds = {
        "mixed": [mixed(number) for number in range(CLAIMS)],
        "globs over the whole tree": [[f"**/{number}*.x{number}"] for number in range(CLAIMS)],
        "folders of depth 1": [[f"pkg{number % 20}/mod{number}"] for number in range(CLAIMS)],
    }
    asked = {
        "a new file": ["pkg3/mod3/new.py"],
        "a folder": ["pkg3/mod3"],
        "a glob": ["pkg3/**/*.py"],
        "a glob everywhere": ["**/*.py"],
        "everything": ["."],
    }
    for kind, texts in kinds.items():
        held = claims(tree, texts)
        for name, mine in asked.items():
            best, worst, found = fastest(lambda mine=mine, held=held: decide(resolve_scope(tree, mine), held))
            ratio = f"{best / walk_ms:5.1f} walks, {len(found):3} clashes"
            print(f"  {kind:<26} {name:<18} {best:7.1f} to {worst:7.1f} ms  {ratio}")


def test_inside_the_transaction(tree):
    held = [one.resolved for one in claims(tree, [mixed(number) for number in range(CLAIMS)])]
    mine = resolve_scope(tree, ["pkg3/**/*.py", "new/*"])
    best, worst, _ = fastest(lambda: [clash(mine, one) for one in held])
    print(f"\n  clash with {CLAIMS} stored claims         {best:7.1f} to {worst:7.1f} ms")


BOMBS = {
    "stars": (["*a" * 120 + "*c"], ["*b" * 120 + "*d"]),
    "stars against a name": (["*a" * 120 + "*b"], ["a" * 250]),
    "folders": (["/".join(["**", "*a*b*"] * 60) + "/x"], ["/".join(["**", "*b*a*"] * 60) + "/y"]),
    "all segments differ": (
        ["/".join(f"*{n}*a?" for n in range(128))],
        ["**/" + "/".join(f"*{n}?*b" for n in range(127))],
    ),
    "256 globs each": (["{a,b}" * 8 + "*/**/x"], ["*" + "{c,d}" * 8 + "/**/y"]),
    "256 globs each, with names between": (
        ["**/" + "{a,b}*" * 8 + "/x"],
        ["**/" + "*{c,d}" * 8 + "/y"],
    ),
}


def test_bombs(tree):
    print()
    for name, (mine, theirs) in BOMBS.items():
        held = claims(tree, [theirs])
        best, worst, found = fastest(lambda mine=mine, held=held: decide(resolve_scope(tree, mine), held), 2)
        words = "clash" if found and found[0][1].decided else "undecided" if found else "none"
        print(f"  {name:<36} {best:7.1f} to {worst:7.1f} ms  {words}")
