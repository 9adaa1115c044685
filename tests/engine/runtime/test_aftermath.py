"""What is left of a run's private folder when it has ended, whatever the run has made of that?"""

import pytest

from engine.runtime import aftermath


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
