"""Whose are Ctrl-C and its like while the terminal is somebody else's?"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

_KEYS = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP)


@contextmanager
def keys_blocked() -> Iterator[None]:
    """A program that is started meanwhile gets these signals only when it lets them through, and so do we."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _KEYS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def deaf_to_keys() -> Iterator[None]:
    """The keys that a terminal turns into signals do not reach us: not while another program has the terminal, and not
    in the moments before and after, in which a key that was meant for it would end us. Programs that are started
    meanwhile are not deaf, as they would be if we ignored these signals."""
    before = {one: signal.signal(one, lambda *_: None) for one in _KEYS}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
