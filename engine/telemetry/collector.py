"""How often may Python's garbage collector look, where log rows stream by?"""

import gc


def let_rows_pass() -> None:
    """Seldom: rows come and go by the thousand, and hardly one is part of a circle. By its default the collector took a
    twelfth of the time of a scan, and made the longest transaction longer by half."""
    gc.set_threshold(50_000, 20, 100)
