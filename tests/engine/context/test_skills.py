"""Which skills are there, what does each cost, and why can one not be used?"""

import hashlib
import os
from pathlib import Path

import pytest

from engine.context import stamp
from engine.context.skills import SKILL_CAP_BYTES, discover, metadata_line, read_skill, skill_folders
from engine.tokens.count import count_tokens
from state.errors import NotFound, Refused


@pytest.fixture
def put(tmp_path):
    def put(content, name="tide", folder="skills"):
        path = tmp_path / folder / name / "SKILL.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return put


def found(tmp_path, folder="skills"):
    return discover([("user", tmp_path / folder)])


@pytest.mark.parametrize(
    ("head", "name", "description"),
    [
        ("---\nname: tide\ndescription: When to sail\n---\n", "tide", "When to sail"),
        ("---\r\nname: tide\r\ndescription: When to sail\r\n---\r\n", "tide", "When to sail"),
        ("\ufeff---\nname: tide\ndescription: x\n---\n", "tide", "x"),
        ("---\ndescription: x\n---\n", "folder-name", "x"),
        ("---\nname: 'tide'\ndescription: \"Quoted: with a colon\"\n---\n", "tide", "Quoted: with a colon"),
        ("---\nname: tide\ndescription: >\n  Folded over\n  two lines\n---\n", "tide", "Folded over two lines"),
        ("---\nname: tide\ndescription: |-\n  Kept\n    lines\n---\n", "tide", "Kept lines"),
        ("---\nname: tide\ndescription: one\n  more\nother: y\n---\n", "tide", "one more"),
        ("---\nname: tide\n# comment\nnonsense\ndescription: x\nlist:\n  - a: b\n---\n", "tide", "x"),
        ("--- \nname: tide\ndescription: x\n--- \n", "tide", "x"),
        ("---\nname: tide\ndescription: x \x1b[31m[/]\n---\n", "tide", "x \x1b[31m[/]"),
    ],
)
def test_front_matter(tmp_path, put, head, name, description):
    path = put(head + "Body text\n", "folder-name")
    (skill,) = found(tmp_path)
    assert (skill.name, skill.description, skill.problem) == (name, description, None)
    assert (skill.path, skill.origin) == (str(path), "user")
    assert skill.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert skill.meta_tokens == count_tokens(metadata_line(name, description, str(path))).tokens
    assert skill.body_tokens == count_tokens("Body text").tokens


@pytest.mark.parametrize(
    "content",
    [
        "",
        "Just text",
        "---\nname: folder-name\n",
        "---\nname: folder-name\n---\nBody",
        "---\ndescription:\n---\n",
        "\n---\ndescription: x\n---",
    ],
)
def test_without_a_description_it_cannot_be_chosen(tmp_path, put, content):
    put(content, "folder-name")
    (skill,) = found(tmp_path)
    assert (skill.name, skill.description) == ("folder-name", "")
    assert "no description" in skill.problem


def test_bad_utf8(tmp_path, put):
    put(b"---\nname: t\xff\ndescription: x\n---\n\xff")
    (skill,) = found(tmp_path)
    assert (skill.name, skill.problem) == ("t\ufffd", None)


@pytest.mark.parametrize(("size", "ok"), [(SKILL_CAP_BYTES, True), (SKILL_CAP_BYTES + 1, False)])
def test_the_cap(tmp_path, put, size, ok):
    head = b"---\ndescription: x\n---\n"
    put(head + b"x \n" * ((size - len(head)) // 3) + b"x" * ((size - len(head)) % 3))
    (skill,) = found(tmp_path)
    assert (skill.problem is None) is ok
    assert ok or (skill.name, skill.problem) == ("tide", "over 524,288 bytes")


def test_what_is_no_file_says_why_and_stops_nothing(tmp_path, put):
    put("---\ndescription: x\n---", "good")
    (tmp_path / "skills" / "folder" / "SKILL.md").mkdir(parents=True)
    (tmp_path / "skills" / "pipe").mkdir()
    os.mkfifo(tmp_path / "skills" / "pipe" / "SKILL.md")
    (tmp_path / "skills" / "loop").mkdir()
    (tmp_path / "skills" / "loop" / "SKILL.md").symlink_to("SKILL.md")
    (tmp_path / "skills" / "not-a-folder").touch()
    said = {skill.name: skill.problem for skill in found(tmp_path)}
    assert said.pop("loop", "not a regular file") == "not a regular file", "from Python 3.13 on a loop is found at all"
    assert said == {"good": None, "folder": "not a regular file", "pipe": "not a regular file"}


def test_what_cannot_be_opened_says_why(tmp_path, put, monkeypatch):
    put("---\ndescription: x\n---")

    def refused(path):
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refused)
        assert [(one.name, one.problem) for one in found(tmp_path)] == [("tide", "Permission denied")]
    with monkeypatch.context() as patch:
        patch.setattr(Path, "is_dir", refused)
        assert [(one.name, one.problem) for one in found(tmp_path)] == [("skills", "Permission denied")]


def test_the_first_place_has_it_and_a_file_counts_once(tmp_path, put):
    path = put("---\ndescription: x\n---", folder="one")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    skills = discover([("workspace", tmp_path / "one"), ("user", tmp_path / "two"), ("codex", tmp_path / "gone")])
    assert [(skill.path, skill.origin) for skill in skills] == [(str(path), "workspace")]


def test_where_to_look():
    environ = {"HOME": "/u", "CLAUDE_CONFIG_DIR": "/c1,/c2", "CODEX_HOME": "/x", "XDG_CONFIG_HOME": "/xdg"}
    assert [(origin, str(folder)) for origin, folder in skill_folders(environ, ["/w"], ["/more"])] == [
        ("configured", "/more"),
        ("workspace", "/w/.claude/skills"),
        ("workspace", "/w/.agents/skills"),
        ("workspace", "/w/skills"),
        ("user", "/xdg/quarterdeck/skills"),
        ("user", "/u/.agents/skills"),
        ("claude_code", "/c1/skills"),
        ("codex", "/x/skills"),
    ]
    plain = dict(skill_folders({"HOME": "/u"}, [], []))
    assert (plain["claude_code"], plain["codex"]) == (Path("/u/.claude/skills"), Path("/u/.codex/skills"))


def test_a_tilde_is_the_home_and_an_unknown_user_stops_nothing():
    found = skill_folders({"HOME": "/u"}, ["~/w"], ["~/s", "~no-such-user/s"])
    assert [folder for _, folder in found[:3]] == [
        Path("~/s").expanduser(),
        Path("~no-such-user/s"),
        Path("~/w/.claude/skills").expanduser(),
    ]
    assert discover(found[1:2]) == []


def test_a_skill_is_read_again_when_it_changes_whatever_its_dates_say(tmp_path, put, monkeypatch):
    monkeypatch.setattr(stamp, "_SETTLED_NS", -(10**12))
    path = put("---\ndescription: x\n---\nBody A")
    os.utime(path, ns=(10**18, 10**18))
    (before,) = found(tmp_path)
    assert found(tmp_path)[0] is before
    changed = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == changed:  # until the clock of the file system has ticked
        path.write_text("---\ndescription: x\n---\nBody B")
        os.utime(path, ns=(10**18, 10**18))
    assert found(tmp_path)[0].sha256 != before.sha256


def test_the_text_of_a_skill_goes_with_the_hash_of_just_these_bytes(tmp_path, put):
    path = put(b"---\ndescription: x\n---\n\xff body\r\n")
    text, sha256 = read_skill(str(path))
    assert text == "---\ndescription: x\n---\n\ufffd body\r\n"
    assert sha256 == found(tmp_path)[0].sha256


def test_a_skill_that_cannot_be_shown_says_why(tmp_path, put):
    with pytest.raises(NotFound, match="there is no"):
        read_skill(str(tmp_path / "gone" / "SKILL.md"))
    with pytest.raises(Refused, match="not a regular file"):
        read_skill(str(tmp_path))
    path = put("x" * (SKILL_CAP_BYTES + 1))
    with pytest.raises(Refused, match="over 524,288 bytes"):
        read_skill(str(path))
