"""Whole lines of a file from an offset, in bounded memory."""

import os

import pytest

from engine.telemetry.lines import blocks, head_hash


@pytest.fixture
def opened(tmp_path):
    """Opens bytes as a file; closes it when the test ends."""
    files = []

    def make(data):
        path = tmp_path / f"log{len(files)}"
        path.write_bytes(data)
        files.append(os.open(path, os.O_RDONLY))
        return files[-1]

    yield make
    for file in files:
        os.close(file)


@pytest.mark.parametrize("block_bytes", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("start", [0, 4])
def test_blocks_join_to_the_whole_lines_and_leave_a_torn_one(opened, block_bytes, start):
    data = b"one\ntwo\r\n\nthree\ntorn"
    found = list(blocks(opened(data), start, len(data), block_bytes))
    assert b"".join(block.data for block in found) == data[start:-4]
    assert all(data[block.start : block.end] == block.data and block.data.endswith(b"\n") for block in found)
    assert found[-1].end == len(data) - 4


def test_nothing_beyond_the_end_is_read(opened):
    assert [block.data for block in blocks(opened(b"one\ntwo\n"), 0, 6)] == [b"one\n"]


@pytest.mark.parametrize("block_bytes", [1, 4, 5])
def test_a_line_that_is_too_long_is_skipped_and_counted(opened, block_bytes):
    data = b"a\n" + b"x" * 50 + b"\nb\n"
    found = list(blocks(opened(data), 0, len(data), block_bytes, longest_line=20))
    assert b"".join(block.data for block in found) == b"a\nb\n"
    assert sum(block.too_long for block in found) == 1
    assert all(data[block.start : block.end] == block.data for block in found)
    assert found[-1].end == len(data)


def test_a_too_long_line_without_end_yields_nothing(opened):
    assert list(blocks(opened(b"x" * 50), 0, 50, 4, longest_line=20)) == []


def test_the_head_hash_of_a_growing_file_stays(opened):
    assert head_hash(opened(b"one\n"), 4) == head_hash(opened(b"one\ntwo\n"), 4)
    assert head_hash(opened(b"one\n"), 4) != head_hash(opened(b"two\n"), 4)
    begun = b"x" * 2000
    assert head_hash(opened(begun), 2000) == head_hash(opened(begun + b"y" * 9), 2000)
    assert head_hash(opened(begun), 2000) != head_hash(opened(begun[:1900] + b"y" * 900), 2000)
