"""Logs with every known trap, and what an exact counter makes of them. One module per client.

Used by the tests, and by `tests/bench/bench_traps.py`, which lets other counters read the same files. The logs are
built from the rules of each format; nothing here knows how the reader works.
"""

from tests.traps.trap import Expected, Trap

__all__ = ["Expected", "Trap"]
