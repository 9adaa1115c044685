"""Does an edit from the keyboard change what it names, and nothing else, or nothing at all?"""

import multiprocessing
import os
import tomllib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.config import write
from engine.config.load import load
from engine.config.write import drop_entry, put_entry
from engine.runtime.settings import CHECKS
from state.errors import ConfigError, NotFound

TEXT = """\
# Top of the file
timezone = "UTC" # the zone

[job.a] # first
every = "1m" # often
# a note inside
task = "x"

# about the budget
[budget.day]
window = "day"
tokens = 5

# the last job
[job.b]
every = "2m"
# trailing

# [job.later]
# every = "3m"
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "q.toml"
    path.write_text(TEXT)
    return path


def test_a_new_entry_is_appended_and_nothing_else_changes(path):
    config = put_entry(path, "job", "new", {"every": "5m", "inject": ("a.md",), "cron": None}, CHECKS)
    assert path.read_text() == TEXT + '\n[job.new]\nevery = "5m"\ninject = ["a.md"]\n'
    assert config == load(path)
    assert config.job["new"].inject == ("a.md",)


def test_keys_are_replaced_where_they_stand(path):
    put_entry(path, "job", "a", {"every": "9m", "timeout": "1m"})
    assert path.read_text() == TEXT.replace('every = "1m" # often', 'every = "9m" # often').replace(
        'task = "x"\n', 'task = "x"\ntimeout = "1m"\n'
    )


def test_none_removes_a_key(path):
    put_entry(path, "job", "a", {"every": None, "cron": "0 7 * * *", "zone": None})
    job = tomllib.loads(path.read_text())["job"]["a"]
    assert job == {"cron": "0 7 * * *", "task": "x"}
    assert "# a note inside" in path.read_text()


def test_dropping_keeps_the_comments_of_others(path):
    drop_entry(path, "job", "a")
    assert path.read_text() == TEXT.replace(TEXT[TEXT.index("[job.a]") : TEXT.index("\n# about")], "")
    drop_entry(path, "job", "b")
    assert path.read_text().endswith('# the last job\n\n# [job.later]\n# every = "3m"\n')
    with pytest.raises(NotFound):
        drop_entry(path, "job", "b")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "new"),
        ("timezone = 'UTC'", "new"),
        ("# only a comment", "new"),
        ('[job.a]\nevery = "1m"', "a"),
        ('[job]\n[job.a]\nevery = "1m"\n', "a"),
        ('[job]\na = {every = "1m"}\n', "a"),
        ('job = {a = {every = "1m"}}\n', "a"),
        ('job = {a = {every = "1m"}}\n', "new"),
        ('job.a.every = "1m"\n', "a"),
        ('job.a.every = "1m"\n', "new"),
        ('[job."x.y"]\nevery = "1m"\n[job.x]\nevery = "3m"\n', "x.y"),
        ('[job.a]\nevery = "1m"\n[limits]\ngrace = "1s"\n[job.b]\nevery = "2m"\n[engine]\nmax_runs = 1\n', "b"),
        ("", 'quo"ted \\ ü [x] # \t'),
        (TEXT.replace("\n", "\r\n"), "new"),
        (TEXT.replace("\n", "\r\n"), "a"),
    ],
)
def test_however_it_is_written(tmp_path, text, name):
    path = tmp_path / "q.toml"
    path.write_bytes(text.encode())
    before = tomllib.loads(text)
    put_entry(path, "job", name, {"every": "7m", "task": 'a "b"\nc'})
    after = tomllib.loads(path.read_bytes().decode())
    entry = before.setdefault("job", {}).setdefault(name, {})
    entry |= {"every": "7m", "task": 'a "b"\nc'}
    assert after == before
    windows = b"\r\n" in text.encode()
    assert path.read_bytes().count(b"\n") == path.read_bytes().count(b"\r\n") or not windows
    drop_entry(path, "job", name)
    assert name not in tomllib.loads(path.read_bytes().decode()).get("job", {})


@pytest.mark.parametrize(
    ("section", "name", "values", "what"),
    [
        ("job", "a", {"every": None}, "exactly one"),
        ("job", "a", {"cron": "0 0 * * *"}, "exactly one"),
        ("job", "n", {"cron": "0 0 30 2 *"}, "never fires"),
        ("job", "n", {"every": "1m", "agent": "nobody"}, "no agent 'nobody'"),
        ("job", "n", {"every": "1m", "evry": "x"}, "unknown key"),
        ("budget", "day", {"tokens": "many"}, "where a whole number belongs"),
        ("nonsense", "n", {"x": 1}, "unknown key"),
        ("job", "n", {"every": "1m", "task": "\ud800"}, "cannot be edited"),
        ("timezone", "n", {"x": 1}, "cannot be edited"),
    ],
)
def test_what_would_not_load_is_not_written(path, section, name, values, what):
    with pytest.raises(ConfigError, match=what):
        put_entry(path, section, name, values, CHECKS)
    assert path.read_bytes() == TEXT.encode()
    assert [one.name for one in path.parent.iterdir() if not one.name.endswith(".lock")] == ["q.toml"]


def test_what_others_need_is_not_dropped(path):
    put_entry(path, "budget", "day", {"job": "a"})
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="there is no job 'a'"):
        drop_entry(path, "job", "a")
    assert path.read_bytes() == before


@pytest.mark.parametrize("broken", [b"[job.a", b"\xff\xfe", b"unknown = 1"])
def test_a_broken_file_is_not_edited(path, broken):
    path.write_bytes(broken)
    with pytest.raises(ConfigError):
        put_entry(path, "job", "new", {"every": "1m"})
    assert path.read_bytes() == broken


def test_an_edit_by_somebody_else_meanwhile_wins(path, monkeypatch):
    parse = write.parse

    def parse_and_edit(text, *rest):
        path.write_text(TEXT + "# by hand\n")
        return parse(text, *rest)

    monkeypatch.setattr(write, "parse", parse_and_edit)
    with pytest.raises(ConfigError, match="changed meanwhile"):
        put_entry(path, "job", "new", {"every": "1m"})
    assert path.read_text() == TEXT + "# by hand\n"


def test_a_link_stays_a_link_and_the_mode_stays(tmp_path, path):
    path.chmod(0o640)
    link = tmp_path / "home" / "quarterdeck.toml"
    link.parent.mkdir()
    link.symlink_to(path)
    put_entry(link, "job", "new", {"every": "1m"})
    assert link.is_symlink()
    assert "new" in load(path).job
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_first_entry_makes_a_private_file(tmp_path):
    old = os.umask(0)
    try:
        put_entry(tmp_path / "new" / "q.toml", "budget", "day", {"window": "day", "tokens": 5})
    finally:
        os.umask(old)
    modes = {found.name: found.stat().st_mode & 0o777 for found in (tmp_path / "new").iterdir()}
    assert modes == {"q.toml": 0o600, ".q.toml.lock": 0o600}
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot write"):
        put_entry(tmp_path / "file" / "q.toml", "job", "a", {"every": "1m"})


def _add(path, number):
    put_entry(path, "job", f"j{number}", {"every": f"{number + 1}m"})


def test_twenty_processes_at_once(path):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_add, args=(path, number)) for number in range(20)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 20
    assert load(path).job.keys() == {"a", "b"} | {f"j{number}" for number in range(20)}
    assert path.read_text().startswith(TEXT)


words = st.text(st.characters(codec="utf-8"), max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=words, task=words, paths=st.lists(words, max_size=3))
def test_any_text_comes_back(path, name, task, paths):
    path.write_text(TEXT)
    put_entry(path, "job", name, {"every": "1m", "task": task, "can_write": tuple(paths)})
    put_entry(path, "job", name, {"task": task + "!"})
    job = load(path).job[name]
    assert (job.task, job.can_write) == (task + "!", tuple(paths))
    drop_entry(path, "job", name)
    assert name not in load(path).job
    assert path.read_text() == TEXT or name in ("a", "b")
