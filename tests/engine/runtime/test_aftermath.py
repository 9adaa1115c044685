"""What is left of a run's private folder when it has ended, whatever the run has made of that? What of its changes?"""

import pytest

from engine.runtime import aftermath
from engine.scopes.violations import PATHS_CAP, Changes, not_checked, words


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


def test_where_a_run_has_put_a_link_only_the_link_goes(folder, tmp_path):
    private = tmp_path / "private"
    (private / "below").mkdir(parents=True)
    (private / "below" / "file").write_text("kept")
    private.chmod(0o755)
    (private / "below").chmod(0o755)
    (folder / "tmp").symlink_to(private)
    aftermath._discard(folder)
    assert not (folder / "tmp").is_symlink()
    assert (private / "below" / "file").read_text() == "kept"
    assert [path.stat().st_mode & 0o777 for path in (private, private / "below")] == [0o755, 0o755]


@pytest.mark.parametrize("content", [b"", b"{", b'{"pid": 1}'])
def test_a_damaged_record_of_its_keeper_keeps_nothing(folder, content):
    (folder / "tmp").mkdir()
    (folder / "keeper.json").write_bytes(content)
    aftermath._discard(folder)
    assert not (folder / "tmp").exists()


HOOKED = ("~/.claude/settings.json",)


@pytest.mark.parametrize(
    ("judged", "said"),
    [
        (Changes(True), f"1 file changed, 1 outside its scope: {HOOKED[0]}; {aftermath.OBEYED}"),
        (
            Changes(True, "not looked into: a (x)", 3, 2, ("b",), 1),
            f"4 files changed, 2 outside its scope: {HOOKED[0]}, b; {aftermath.OBEYED}; not looked into: a (x)",
        ),
        (
            not_checked("too many"),
            f"1 file changed, 1 outside its scope: {HOOKED[0]} (or of run 3, live beside it);"
            f" {aftermath.OBEYED}; changes not checked: too many",
        ),
    ],
)
def test_changed_settings_are_a_violation_whatever_became_of_the_workspace(judged, said):
    found = aftermath.with_settings(judged, HOOKED, ["run 3"])
    assert words(found) == said
    assert found.violations_total == judged.violations_total + 1
    assert aftermath.with_settings(judged, (), ["run 3"]) is judged


def test_no_more_of_them_are_kept_than_of_any_others():
    found = aftermath.with_settings(Changes(True), [str(number) for number in range(PATHS_CAP + 7)], [])
    assert (len(found.violations), found.violations_total) == (PATHS_CAP, PATHS_CAP + 7)
