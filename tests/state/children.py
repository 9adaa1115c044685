"""Processes of a test: forked, so that thirty of them cost no start-up, and ended without a word when asked to."""

import os
import signal
from contextlib import contextmanager


@contextmanager
def child(work):
    """`work(inbox, outbox)` in a process of its own, given two pipes; yields (pid, our outbox, our inbox). No database
    may be open across it. Afterwards it is gone."""
    to_child, from_child = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(to_child[1])
        os.close(from_child[0])
        code = 1
        try:
            work(to_child[0], from_child[1])
            code = 0
        finally:
            os._exit(code)
    os.close(to_child[0])
    os.close(from_child[1])
    try:
        yield pid, to_child[1], from_child[0]
    finally:
        os.close(to_child[1])
        os.close(from_child[0])
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def read_exactly(inbox, size):
    """So many bytes; fewer when the other side has ended."""
    found = b""
    while len(found) < size and (more := os.read(inbox, size - len(found))):
        found += more
    return found
