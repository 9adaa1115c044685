"""Do the tools of a model stay within its scope, whatever paths it gives, and within their bounds?"""

import json
import os
from pathlib import Path

import pytest

from engine.adapters.runner import beneath, search, tools
from engine.adapters.runner.beneath import NotAllowed, Workspace
from engine.adapters.runner.job import Job
from engine.adapters.runner.schemas import TOOLS, declared, tool_schemas
from engine.adapters.runner.talk import Call

EVERYTHING = tuple(TOOLS)
SECRET = "the key lies here"


class Desk:
    """A workspace beside a secret, and tools that work in it."""

    def __init__(self, root: Path) -> None:
        self.workspace = root / "work"
        (self.workspace / "notes" / "deep").mkdir(parents=True)
        (self.workspace / "src").mkdir()
        (self.workspace / "src" / "a.py").write_text("import os\nneedle = 1\n")
        (self.workspace / "notes" / "n.md").write_text("first\nneedle\n")
        (root / "secret.txt").write_text(SECRET)
        self.outside = root / "secret.txt"

    def use(self, name, tools_allowed=EVERYTHING, can_write=("notes/",), can_read=(), **arguments):
        job = Job(
            "chat", "http://x", "m", str(self.workspace), "/f", (), (), tools=tools_allowed,
            can_write=can_write, can_read=can_read,
        )  # fmt: skip
        return tools.Tools(job).use(Call("1", name, json.dumps(arguments)))

    def tree(self):
        return sorted(str(path.relative_to(self.workspace.parent)) for path in self.workspace.parent.rglob("*"))


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def test_a_file_is_read_and_goes_on_where_it_was_cut(desk):
    assert desk.use("read", path="src/a.py").text == "import os\nneedle = 1\n"
    assert desk.use("read", path=f"{desk.workspace}/src/a.py").ok
    assert desk.use("read", path="./src//a.py", from_line=2).text == "needle = 1\n"
    (desk.workspace / "long.txt").write_text("".join(f"line {number}\n" for number in range(20_000)))
    first = desk.use("read", path="long.txt").text
    assert len(first) < tools.RESULT_CHARS + 100
    onward = int(first.rpartition("from_line=")[2].rstrip(")"))
    assert desk.use("read", path="long.txt", from_line=onward).text.startswith(f"line {onward - 1}\n")
    (desk.workspace / "wide.txt").write_text("x" * 200_000)
    assert len(desk.use("read", path="wide.txt").text) < tools.RESULT_CHARS + 100


def test_a_folder_is_listed_by_kind(desk):
    (desk.workspace / "link").symlink_to(desk.outside)
    assert desk.use("list").text == "link@\nnotes/\nsrc/"
    assert desk.use("list", path="notes").text == "deep/\nn.md"
    assert desk.use("list", path="notes/deep").text == "(nothing)"


def test_a_text_is_found_by_file_and_line(desk):
    (desk.workspace / ".git").mkdir()
    (desk.workspace / ".git" / "x").write_text("needle")
    (desk.workspace / "image").write_bytes(b"\0needle")
    assert desk.use("search", text="needle").text == "notes/n.md:2: needle\nsrc/a.py:2: needle = 1"
    assert desk.use("search", text="needle", glob="*.md").text == "notes/n.md:2: needle"
    assert desk.use("search", text="needle", glob="src/**").text == "src/a.py:2: needle = 1"
    assert desk.use("search", text="needle", glob="*.{py,txt}").text == "src/a.py:2: needle = 1"
    assert desk.use("search", text="[n]eedle.*").text == "(nothing in 3 files)"


def test_a_file_is_written_within_its_scope_and_its_folders_made(desk):
    done = desk.use("write", path="notes/new/x.md", text="hé")
    assert (done.ok, done.text) == (True, "made notes/new/x.md, 3 bytes")
    assert (desk.workspace / "notes/new/x.md").read_text() == "hé"
    script = desk.workspace / "notes" / "run.sh"
    script.write_text("old")
    script.chmod(0o750)
    assert desk.use("write", path="notes/run.sh", text="new").text.startswith("replaced")
    assert (script.read_text(), script.stat().st_mode & 0o777) == ("new", 0o750)
    assert not list(desk.workspace.rglob(".qd-*"))


def test_a_text_is_replaced_where_it_occurs_once(desk):
    note = desk.workspace / "notes" / "n.md"
    note.write_bytes(b"one\r\ntwo\r\ntwo\r\n")
    assert desk.use("edit", path="notes/n.md", old="one", new="ONE").ok
    assert note.read_bytes() == b"ONE\r\ntwo\r\ntwo\r\n"
    for old in ("two", "three", ""):
        assert "must occur once" in desk.use("edit", path="notes/n.md", old=old, new="x").text
    assert note.read_bytes() == b"ONE\r\ntwo\r\ntwo\r\n"


OUT = (
    "../secret.txt",
    "notes/../../secret.txt",
    "{outside}",
    "/etc/passwd",
    "/proc/self/environ",
    "~/x",
    "notes/link",
    "notes/loop/secret.txt",
    "notes/inner/a.py",
    "notes/fifo",
    "notes/deep",
    "",
    "/",
    ".",
    "notes/x\0y",
    "notes/a/" * 200,
)
"""Paths that lead out, through links, or to what is no file."""


@pytest.fixture
def trapped(desk):
    (desk.workspace / "notes" / "link").symlink_to(desk.outside)
    (desk.workspace / "notes" / "loop").symlink_to(desk.workspace.parent)
    (desk.workspace / "notes" / "inner").symlink_to(desk.workspace / "src")
    os.mkfifo(desk.workspace / "notes" / "fifo")
    return desk


@pytest.mark.parametrize("path", OUT)
@pytest.mark.parametrize("tool", ["read", "write", "edit"])
def test_no_path_leads_out(trapped, tool, path):
    before, source = trapped.tree(), (trapped.workspace / "src" / "a.py").read_text()
    arguments = {"read": {}, "write": {"text": "gone"}, "edit": {"old": "key", "new": "lock"}}[tool]
    result = trapped.use(tool, path=path.replace("{outside}", str(trapped.outside)), **arguments)
    assert not result.ok
    assert SECRET not in result.text
    assert trapped.outside.read_text() == SECRET
    assert (trapped.workspace / "src" / "a.py").read_text() == source
    assert trapped.tree() == before


def test_links_are_neither_listed_through_nor_searched(trapped):
    assert not trapped.use("list", path="notes/loop").ok
    assert "secret.txt" not in trapped.use("search", text="key").text
    assert not trapped.use("list", path="..").ok


def test_what_shows_processes_is_no_file_of_a_workspace_that_is_the_root():
    for path in ("proc/self/environ", f"proc/{os.getpid()}/cmdline", "sys/kernel/mm/transparent_hugepage/enabled"):
        with pytest.raises(NotAllowed):
            Workspace("/").read(tuple(path.split("/")), 1_000_000)


def test_a_file_with_another_name_outside_keeps_what_it_had_there(desk):
    (desk.workspace / "notes" / "twin").hardlink_to(desk.outside)
    assert desk.use("write", path="notes/twin", text="changed").ok
    assert desk.outside.read_text() == SECRET


def test_a_file_is_written_in_its_place_when_nothing_may_be_made_beside_it(desk, monkeypatch):
    def forbidden(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(beneath, "_replace", forbidden)  # what a sandbox of this one file does
    assert desk.use("write", path="notes/n.md", text="short").ok
    assert (desk.workspace / "notes" / "n.md").read_text() == "short"
    (desk.workspace / "notes" / "twin").hardlink_to(desk.outside)
    assert "other names" in desk.use("write", path="notes/twin", text="changed").text
    assert desk.outside.read_text() == SECRET


@pytest.mark.parametrize(
    ("can_write", "path", "ok"),
    [
        ((), "notes/x", False),
        (("notes/",), "notes/x", True),
        (("notes/",), "notesx", False),
        (("notes/n.md",), "notes/n.md", True),
        (("notes/n.md",), "notes/n.md.bak", False),
        (("notes/*.md",), "notes/x.md", True),
        (("notes/*.md",), "notes/deep/x.md", False),
        (("notes/*",), "notes/deep/x.md", True),
        (("notes/*",), "notes/made/x.md", False),
        (("**/*.md",), "notes/deep/x.md", True),
        (("**/*.md",), "x.py", False),
        (("{notes,src}/x",), "src/x", True),
        (("src/[ab].py",), "src/b.py", True),
        (("src/[!ab].py",), "src/b.py", False),
        (("{workspace}/notes",), "notes/x", True),
        (("/elsewhere",), "elsewhere", False),
        (("../work/notes",), "notes/x", False),
        (("~/notes",), "~/notes", False),
        (("!notes",), "notes/x", False),
        (("n**/x",), "notes/x", False),
        (("{notes,{src,x}}/y",), "src/y", True),
        (("{notes",), "{notes", False),
        (("notes\\x",), "notes\\x", False),
        (("[[:alpha:]]",), "a", False),
        (("{" + ",".join(map(str, range(300))) + "}",), "7", False),
    ],
)
def test_what_may_be_written(desk, can_write, path, ok):
    patterns = tuple(one.replace("{workspace}", str(desk.workspace)) for one in can_write)
    assert desk.use("write", can_write=patterns, path=path, text="x").ok is ok


def test_what_may_be_read_is_also_what_is_listed_and_found(desk):
    only = {"can_read": ("src/",), "can_write": ()}
    assert desk.use("read", path="src/a.py", **only).ok
    assert "outside of what may be read" in desk.use("read", path="notes/n.md", **only).text
    assert desk.use("list", path="notes", **only).text == "deep/"
    assert desk.use("search", text="needle", **only).text == "src/a.py:2: needle = 1"
    assert desk.use("read", path="notes/n.md", can_read=("src/",), can_write=("notes/",)).ok
    both = desk.use("search", text="needle", can_read=("src/a.py", "nothing/*"), can_write=("notes/",)).text
    assert both == "notes/n.md:2: needle\nsrc/a.py:2: needle = 1"


@pytest.mark.parametrize(
    ("tool", "arguments", "why"),
    [
        ("bash", "{}", "there is no tool bash"),
        ("read", "{}", "make no sense"),
        ("read", "{no", "make no sense"),
        ("read", '{"path": 3}', "make no sense"),
        ("search", '{"text": ""}', "no text"),
        ("search", '{"text": "x", "glob": "{a"}', "never closed"),
        ("read", '{"path": "nope"}', "No such file"),
        ("read", '{"path": "image"}', "is no text file"),
        ("read", '{"path": "huge"}', "no more than"),
        ("list", '{"path": "src/a.py"}', "Not a directory"),
    ],
)
def test_what_goes_wrong_is_told_to_the_model(desk, tool, arguments, why):
    (desk.workspace / "image").write_bytes(b"\x89PNG\0\xff")
    with (desk.workspace / "huge").open("wb") as file:
        file.truncate(5_000_000)
    job = Job("chat", "http://x", "m", str(desk.workspace), "/f", (), (), tools=EVERYTHING)
    result = tools.Tools(job).use(Call("1", tool, arguments))
    assert not result.ok
    assert why in result.text


def test_a_tool_that_is_not_allowed_is_none(desk):
    assert "there are: read" in desk.use("list", tools_allowed=("read",)).text


def test_the_results_of_a_run_are_bounded_together(desk, monkeypatch):
    monkeypatch.setattr(tools, "TOTAL_CHARS", 30)
    job = Job("chat", "http://x", "m", str(desk.workspace), "/f", (), (), tools=("read",))
    used = tools.Tools(job)
    call = Call("1", "read", '{"path": "src/a.py"}')
    assert [used.use(call).ok for _ in range(2)] == [True, False]


def test_a_search_is_bounded_in_hits_files_and_depth(desk, monkeypatch):
    (desk.workspace / "many.txt").write_text("needle\n" * 1000)
    assert desk.use("search", text="needle").text.count("\n") == search.HITS
    monkeypatch.setattr(search, "FILES", 1)
    assert "stopped after 1 files" in desk.use("search", text="nothing").text
    monkeypatch.setattr(search, "DEPTH", 0)
    monkeypatch.setattr(search, "FILES", 100)
    assert "src" not in desk.use("search", text="needle").text


@pytest.mark.parametrize("api", ["anthropic", "responses", "chat", "ollama"])
def test_tools_are_declared_small_and_always_in_one_order(api):
    assert declared(api, ("edit", "read")) == declared(api, ("read", "edit"))
    assert tool_schemas(api, ()) == ""
    assert len(tool_schemas(api, EVERYTHING)) < 1400
    assert json.loads(tool_schemas(api, EVERYTHING)) == declared(api, EVERYTHING)
