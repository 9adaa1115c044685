import os

import pytest

from engine.config.console import ConsoleConfig
from state.errors import Refused, UsageError
from state.home import Home
from tui.cli.flags import check_verb, take_flags
from tui.options import Flags, as_started, declared_in, options


def said(home, toml="", environ=None, **flags):
    home.mkdir(exist_ok=True)
    (home / "quarterdeck.toml").write_text(toml)
    return options(Flags(**flags), environ or {}, declared_in(Home(config=home, state=home)))


def test_without_a_word_it_is_as_it_always_was(tmp_path):
    got = said(tmp_path)
    assert (got.theme, got.refresh_s, got.ascii, got.mouse, got.color) == (None, 0.1, False, True, True)
    assert not got.low_bandwidth
    assert not got.read_only


@pytest.mark.parametrize(
    ("toml", "flags", "name", "value"),
    [
        ('[console]\ntheme = "light"', {}, "theme", "light"),
        ('[console]\ntheme = "light"', {"theme": "mono"}, "theme", "mono"),
        ('[console]\ntheme = "light"\nlow_bandwidth = true', {}, "theme", "ansi"),
        ("[console]\nlow_bandwidth = true", {"theme": "dark"}, "theme", "dark"),
        ('[console]\nrefresh = "2s"', {}, "refresh_s", 2.0),
        ('[console]\nrefresh = "2s"', {"refresh_s": 0.5}, "refresh_s", 0.5),
        ("", {"low_bandwidth": True}, "refresh_s", 1.0),
        ("", {"low_bandwidth": True, "refresh_s": 3.0}, "refresh_s", 3.0),
        ("", {"low_bandwidth": True}, "mouse", False),
        ("[console]\nmouse = false", {}, "mouse", False),
        ("", {"no_mouse": True}, "mouse", False),
        ("[console]\nascii = true", {}, "ascii", True),
        ("[console]\nread_only = true", {}, "read_only", True),
        ("[console]\nnonsense = ", {}, "theme", None),
    ],
)
def test_a_flag_wins_over_the_configuration(tmp_path, toml, flags, name, value):
    assert getattr(said(tmp_path, toml, **flags), name) == value


@pytest.mark.parametrize(
    ("environ", "name", "value"),
    [
        ({"NO_COLOR": "1"}, "color", False),
        ({"NO_COLOR": ""}, "color", True),
        ({"LANG": "C"}, "ascii", True),
        ({"LANG": "C", "LC_ALL": "de_DE.UTF-8"}, "ascii", False),
        ({"LANG": "de_DE.UTF-8", "LC_CTYPE": "POSIX"}, "ascii", True),
        ({"LANG": "en_GB.utf8"}, "ascii", False),
        ({"QUARTERDECK_READ_ONLY": "1"}, "read_only", True),
    ],
)
def test_the_environment_has_its_say(tmp_path, environ, name, value):
    assert getattr(said(tmp_path, environ=environ), name) == value


def test_a_locale_that_the_interpreter_made_up_is_not_the_operators(monkeypatch):
    """Under LANG=C it sets LC_CTYPE, which would hide that the terminal speaks ASCII."""
    assert "QD_NEVER" not in as_started({})
    given = as_started({"LC_CTYPE": "C.UTF-8", "LANG": "C"})
    told = "LC_CTYPE" in given
    with open("/proc/self/environ", "rb") as file:  # noqa: PTH123
        assert told == any(entry.startswith(b"LC_CTYPE=") for entry in file.read().split(b"\0"))
    assert given["LANG"] == "C"


def test_the_default_refresh_is_what_the_model_says():
    assert ConsoleConfig().refresh_s == 0.1


def test_what_was_edited_last_counts_before_what_is_in_force(tmp_path):
    """The engine may not have taken it up yet, and what the terminal was sent meanwhile cannot be taken back."""
    home = Home(config=tmp_path / "config", state=tmp_path / "state")
    home.config.mkdir()
    home.config_in_force.parent.mkdir(parents=True, exist_ok=True)
    home.config_in_force.write_text("[alerts]\ntitle = true\nbell = false\n")
    home.config_file.write_text("[alerts]\ntitle = false\n")
    assert not declared_in(home).alerts.title
    home.config_file.write_text("[alerts]\ntitle = maybe\n")
    assert declared_in(home).alerts.title
    assert not declared_in(home).alerts.bell


@pytest.mark.parametrize(
    ("words", "flags", "left"),
    [
        ([], {}, []),
        (["--ascii", "--no-mouse"], {"ascii": True, "no_mouse": True}, []),
        (["--theme", "light"], {"theme": "light"}, []),
        (["--theme=light", "--refresh=2s", "--plain"], {"theme": "light", "refresh_s": 2.0, "plain": True}, []),
        (["--refresh", "250ms", "--low-bandwidth"], {"refresh_s": 0.25, "low_bandwidth": True}, []),
        (["--read-only", "sessions", "--json"], {"read_only": True}, ["sessions", "--json"]),
        (["sessions", "--ascii"], {}, ["sessions", "--ascii"]),
        (["--help"], {}, ["--help"]),
    ],
)
def test_flags_stand_before_everything_else(words, flags, left):
    assert take_flags(words) == (Flags(**flags), left)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--theme"], "needs a value"),
        (["--refresh", "soon"], "no duration"),
        (["--refresh", "1ms"], "out of bounds"),
        (["--refresh", "2h"], "out of bounds"),
    ],
)
def test_a_flag_that_makes_no_sense_is_one_line(words, why):
    with pytest.raises(UsageError, match=why):
        take_flags(words)


def test_only_read_only_goes_with_a_verb():
    environ = {}
    check_verb(Flags(read_only=True), ["sessions"], environ)
    assert environ == {"QUARTERDECK_READ_ONLY": "1"}
    with pytest.raises(UsageError, match="sessions"):
        check_verb(Flags(ascii=True), ["sessions"], environ)


def test_a_verb_that_changes_something_is_refused_where_everything_is_read_only(tmp_path, monkeypatch):
    from tui.cli.dispatch import run

    monkeypatch.setenv("QUARTERDECK_READ_ONLY", "1")
    home = Home(config=tmp_path, state=tmp_path)
    for words in (["spawn", "x"], ["run", "stop", "1"], ["budget", "set", "x"], ["init"], ["undo"]):
        with pytest.raises(Refused, match="read-only"):
            run(words, home)
    assert run(["engine", "status"], home)[0] == 1
    assert list(tmp_path.iterdir()) == []
    assert os.environ["QUARTERDECK_READ_ONLY"] == "1"


def test_a_console_that_only_looks_offers_nothing_that_changes_anything_and_sends_nothing(filled):
    import asyncio

    from engine.contract.orders import Nothing
    from tui.console.app import Console

    sent = []

    async def main():
        app = Console(filled.home, said=said(filled.home.config, theme="dark", read_only=True))
        app.link.attach = lambda: None
        app.link._order = lambda *order: sent.append(order)
        async with app.run_test(size=(120, 34)) as pilot:
            await pilot.pause()
            assert "read-only" in "".join(text for text, _ in app.overview.header.lines[0])
            footer = "".join(text for text, _ in app.screen.query_one("KeyFooter").lines[0])
            assert "spawn" not in footer
            await pilot.press("s", "n", "u")
            assert len(app.screen_stack) == 1
            told = []
            app.link.order("undo", Nothing(), failed=told.append)
            app.link.put_entry("job", "x", {}, failed=told.append)
            await pilot.pause()
            assert [line.partition(":")[0] for line in told] == ["this console is read-only"] * 2

    asyncio.run(main())
    assert sent == []
