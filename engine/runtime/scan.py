"""How far is the scan of the logs, and how long will the rest take? Said in one line, the most telling part first."""

from engine.contract.usage import Progress

_SOON_S = 1.0
"""Before so long no rate is said: it would be a guess."""


class Scan:
    """One scan, from the first word of it that came."""

    def __init__(self, first: Progress, at_s: float) -> None:
        self._bytes, self._at_s = first.bytes_done, at_s

    def words(self, progress: Progress, at_s: float) -> str:
        """Its state at this time, on the clock that `at_s` was told by at first."""
        return scan_words(progress, progress.bytes_done - self._bytes, at_s - self._at_s)


def scan_words(progress: Progress, read_bytes: int, took_s: float) -> str:
    """`reading logs 34%, 17 s left: 312 of 1,204 files, 45 MB/s`. So many bytes were read in so much time."""
    files = f"{progress.files_done:,} of {progress.files_total:,} files"
    head = f"reading logs {_percent(progress)}%"
    if took_s < _SOON_S or read_bytes <= 0:
        return f"{head}: {files}"
    rate = read_bytes / took_s
    left_s = (progress.bytes_total - progress.bytes_done) / rate
    return f"{head}, {_left(left_s)} left: {files}, {_mega(rate)} MB/s"


def _percent(progress: Progress) -> int:
    """By bytes; never all of it while something is left."""
    if progress.bytes_total <= 0:
        return 0
    return min(99, 100 * progress.bytes_done // progress.bytes_total)


def _left(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{max(1, whole)} s"
    minutes = round(whole / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _mega(rate: float) -> str:
    return f"{rate / 1e6:.1f}" if rate < 9.95e6 else f"{rate / 1e6:,.0f}"
