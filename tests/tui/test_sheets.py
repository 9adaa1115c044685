"""Does a sheet complete paths, tell of every field that is wrong at once, and keep what was typed in it?"""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.load import parse
from engine.runtime.settings import CHECKS
from tests.tui.conftest import CONFIG
from tests.tui.test_spawn import EMPTY
from tui.panes import messages as asked
from tui.screens.sheet import name_problem
from tui.screens.spawn_request import wrong_fields
from tui.widgets import path_words
from tui.widgets.path_words import path_completed


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("work")
    (root / "status.md").write_text("x")
    (root / "stale.txt").write_text("x")
    (root / ".hidden").write_text("x")
    (root / "two words.md").write_text("x")
    (root / "esc\x1b[2J.md").write_text("x")
    (root / "docs").mkdir()
    (root / "docs" / "api.md").write_text("x")
    (root / "docs" / ".draft").write_text("x")
    (root.parent / "outside").mkdir(exist_ok=True)
    (root.parent / "outside" / "secret.md").write_text("x")
    (root / "away").symlink_to(root.parent / "outside")
    return root


@pytest.mark.parametrize(
    ("typed", "whole"),
    [
        ("stat", "status.md"),
        ("sta", "stale.txt"),
        ("status.md sta", "status.md stale.txt"),
        ("do", "docs/"),
        ("docs/", "docs/api.md"),
        ("x docs/a", "x docs/api.md"),
        ("status.md", None),
        (".h", ".hidden"),
        ("", None),
        ("status.md ", None),
        ("tw", None),
        ("esc", None),
        ("nope", None),
        ("nope/x", None),
        ("../outside/s", None),
        ("docs/../../outside/s", None),
        ("away/", None),
        ("docs/../sta", None),
        ("/etc/host", None),
        ("~/", None),
        ("status.md/x", None),
        ("a\0b", None),
    ],
)
def test_a_word_is_completed_to_a_name_within_the_folder(folder, typed, whole):
    assert path_completed(typed, str(folder)) == whole


@given(st.text("ast./~ \0ü", max_size=12))
def test_nothing_that_is_typed_leads_out_of_the_folder(folder, typed):
    found = path_completed(typed, str(folder))
    assert found is None or (found.startswith(typed) and "secret" not in found)


def test_a_folder_of_very_many_is_not_read_to_its_end(tmp_path, monkeypatch):
    looked = []
    real = os.scandir

    class Counted:
        def __init__(self, path):
            self._real = real(path)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self._real.close()

        def __iter__(self):
            return self

        def __next__(self):
            looked.append(1)
            return next(self._real)

    for number in range(30):
        (tmp_path / f"a{number}").write_text("")
    monkeypatch.setattr(path_words, "LOOKED_AT", 10)
    monkeypatch.setattr(path_words.os, "scandir", Counted)
    assert path_completed("a", str(tmp_path)) is not None
    assert len(looked) == 10


@pytest.mark.parametrize(
    ("name", "old", "said"),
    [
        ("", "", "give it a name"),
        ("day", "", "there is a budget day already"),
        ("day?", "", "without ?"),
        ("a b/", "", "without  /"),
        ("ok-1_x", "", ""),
        ("Größe", "", ""),
        ("day", "day", ""),
        ("odd?", "odd?", ""),
        ("other", "day", "a budget keeps its name: leave it at day"),
    ],
)
def test_a_name_is_judged_as_it_is_typed(name, old, said):
    found = name_problem("budget", name, old, {"day"})
    assert said in found
    assert bool(found) == bool(said)


def test_every_wrong_field_of_a_request_is_found(tmp_path):
    config = parse(CONFIG, tmp_path / "q.toml", CHECKS)
    fields = {"agent": "codr", "timeout": "soon", "limits": "x", "skills": "revue", "stop usd": "much", "tools": "read"}
    found = wrong_fields(EMPTY | fields, config)
    assert sorted(name for name, _, _ in found) == ["agent", "limits", "skills", "stop usd", "timeout"]
    fixes = {name: fix for name, _, fix in found}
    assert fixes["agent"] == "did you mean coder?"
    assert fixes["skills"] == "did you mean review?"
    assert wrong_fields(EMPTY | {"agent": "coder", "timeout": "5m"}, config) == []


def labels(screen):
    return ["".join(text for text, _ in line.lines[0]) for line in screen.form._labels.values()]


async def opened(pilot, message, kind):
    await pilot.until(lambda: pilot.app.config is not None, "the configuration")
    pilot.app.post_message(message)
    await pilot.until(lambda: type(pilot.app.screen).__name__ == kind, f"the {kind}")
    await pilot.until(lambda: bool(pilot.app.screen.form.is_attached and pilot.app.screen.focused), "its fields")
    return pilot.app.screen


@pytest.mark.parametrize("size", [(120, 34), (60, 20)])
def test_every_wrong_field_is_marked_and_said_at_once(filled, drive, size):
    async def scenario(pilot):
        await pilot.sees("fix flaky")
        screen = await opened(pilot, asked.SheetAsked("budget"), "BudgetSheet")
        screen.form.fill({"name": "day?", "window": "year", "tokens": "x", "agent": "nobody"})
        await pilot.until(lambda: {"name!", "window!", "tokens!", "agent!"} <= set(labels(screen)), "marked")
        said = ["".join(text for text, _ in line) for line in screen.judgement.lines]
        assert [line.split()[0] for line in said if "NO " in line] == ["name", "window", "tokens", "agent"]
        screen.form.fill({"name": "fine", "window": "day", "tokens": "5k", "agent": ""})
        await pilot.until(lambda: not any(label.endswith("!") for label in labels(screen)), "no more")

    drive(filled.home, scenario, size)


def test_several_wrong_fields_of_a_job_and_of_a_run(filled, drive):
    async def scenario(pilot):
        await pilot.sees("fix flaky")
        screen = await opened(pilot, asked.SheetAsked("job"), "JobSheet")
        screen.form.fill({"agent": "nobody", "zone": "Mars", "timeout": "soon"})
        await pilot.until(lambda: {"name!", "agent!", "zone!", "timeout!"} <= set(labels(screen)), "marked")
        screen.form.fill({"name": "x", "agent": "", "zone": "", "timeout": "", "cron": "61 * * * *"})
        await pilot.until(lambda: [one for one in labels(screen) if "!" in one] == ["cron!"], "the calendar")
        await pilot.press("escape")
        screen = await opened(pilot, asked.SpawnAsked(), "SpawnSheet")
        screen.form.fill({"agent": "nobody", "timeout": "soon"})
        await pilot.sees("NO  there is no agent 'nobody'", "NO  'soon' is no duration", "nothing is spent yet")
        assert {"agent!", "timeout!"} <= set(labels(screen))

    drive(filled.home, scenario)


def test_tab_completes_a_path_of_the_workspace(filled, drive, folder):
    async def scenario(pilot):
        await pilot.sees("fix flaky")
        screen = await opened(pilot, asked.SpawnAsked(), "SpawnSheet")
        screen.form.fill({"workspace": str(folder)})
        await pilot.press("down", *"sta")
        await pilot.until(lambda: screen.form.completion == "stale.txt", "offered")
        await pilot.sees("tab complete")
        await pilot.press("tab")
        assert screen.form.values["inject"] == "stale.txt"
        await pilot.press("space", *"nope", "tab")
        assert screen.form.values["inject"] == "stale.txt nope"
        assert not screen.form._inputs["inject"].has_focus

    drive(filled.home, scenario)


def test_what_was_typed_is_there_when_the_same_sheet_is_opened_again(filled, drive):
    async def scenario(pilot):
        await pilot.sees("fix flaky")
        await opened(pilot, asked.SheetAsked("job"), "JobSheet")
        await pilot.press(*"night", "down", *"1h", "escape")
        await pilot.sees("New job: not written, but kept for when you open it again")
        screen = await opened(pilot, asked.SheetAsked("job"), "JobSheet")
        await pilot.sees("as you had begun it; esc drops that, typing on keeps it")
        assert (screen.form.values["name"], screen.form.values["every"]) == ("night", "1h")
        await pilot.press("y", "escape")
        screen = await opened(pilot, asked.SheetAsked("job"), "JobSheet")
        assert screen.form.values["name"] == "nighty"
        await pilot.press("escape")
        await pilot.sees("not written, and dropped")
        screen = await opened(pilot, asked.SheetAsked("job"), "JobSheet")
        assert screen.form.values["name"] == ""
        await pilot.press("escape")
        assert pilot.app.drafts == {}
        screen = await opened(pilot, asked.SheetAsked("job", "weekly"), "JobSheet")
        assert screen.form.values["cron"] == "0 9 * * 1"

    drive(filled.home, scenario)


def test_what_was_written_is_not_kept(filled, drive):
    async def scenario(pilot):
        app = pilot.app
        await pilot.sees("fix flaky")
        written = []
        app.link.put_entry = lambda section, name, values, done=None, failed=None: written.append((name, done))
        await opened(pilot, asked.SheetAsked("budget"), "BudgetSheet")
        await pilot.press(*"tight", "escape")
        screen = await opened(pilot, asked.SheetAsked("budget"), "BudgetSheet")
        screen.form.fill({"tokens": "5k"})
        await pilot.press("ctrl+s")
        await pilot.until(lambda: bool(written), "written")
        written[0][1](None)
        await pilot.sees("budget tight is in force")
        assert app.drafts == {}

    drive(filled.home, scenario)
