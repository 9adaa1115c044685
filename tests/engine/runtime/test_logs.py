"""What the reader sends becomes what the state says."""

from engine.contract.clock import SystemClock
from engine.contract.usage import Progress
from engine.runtime.logs import SCAN_NOTICE, LogBook
from state import events
from state.database import open_writer
from state.home import find_home


def test_a_notice_left_by_an_engine_that_died_in_mid_scan_goes_away(tmp_path):
    database = open_writer(find_home(str(tmp_path / "home"), {}))
    with database.transaction() as tx:
        events.raise_notice(tx, events.Notice(SCAN_NOTICE, "info", "reading logs: 1 of 9 files", 1))

    LogBook(database, SystemClock()).write(Progress(9, 9, 90, 90, scanning=False))

    assert events.notice(database.connection, SCAN_NOTICE) is None
    database.close()
