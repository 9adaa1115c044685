"""How far is the first scan? By bytes, with a rate and the time that is left as soon as they can be known."""

import pytest

from engine.contract.usage import Progress
from engine.runtime.log_book import SCAN_NOTICE
from engine.runtime.scan import Scan, scan_words
from state import events
from tests.engine.runtime.test_logs import books as books_fixture

MB = 1_000_000
books = books_fixture


def at(files, mb, of_files=1_204, of_mb=1_000):
    return Progress(files, of_files, int(mb * MB), of_mb * MB, scanning=True)


@pytest.mark.parametrize(
    ("progress", "read_mb", "took_s", "said"),
    [
        (at(0, 0), 0, 5.0, "reading logs 0%: 0 of 1,204 files"),
        (at(312, 340), 340, 0.9, "reading logs 34%: 312 of 1,204 files"),
        (at(312, 340), 340, 10.0, "reading logs 34%, 19 s left: 312 of 1,204 files, 34 MB/s"),
        (at(312, 340), 34, 10.0, "reading logs 34%, 3 min left: 312 of 1,204 files, 3.4 MB/s"),
        (at(312, 340), 0.5, 10.0, "reading logs 34%, 3 h 40 min left: 312 of 1,204 files, 0.1 MB/s"),
        (at(1_204, 1_000), 1_000, 30.0, "reading logs 99%, 1 s left: 1,204 of 1,204 files, 33 MB/s"),
        (at(1, 0, 1, 0), 0, 30.0, "reading logs 0%: 1 of 1 files"),
    ],
)
def test_the_share_the_rate_and_the_time_left(progress, read_mb, took_s, said):
    assert scan_words(progress, int(read_mb * MB), took_s) == said


def test_what_was_read_before_the_scan_began_does_not_make_it_fast():
    scan = Scan(at(300, 900), 100.0)
    assert ", 1.0 MB/s" in scan.words(at(310, 910), 110.0)


def test_the_notice_counts_on_and_goes_with_the_scan(books):
    books.write(at(1, 10))
    assert events.notice(books.connection, SCAN_NOTICE).text.startswith("reading logs 1%")
    books.write(at(600, 500))
    assert events.notice(books.connection, SCAN_NOTICE).text.startswith("reading logs 50%")
    books.write(Progress(1_204, 1_204, 1_000 * MB, 1_000 * MB, scanning=False))
    assert events.notice(books.connection, SCAN_NOTICE) is None
