"""How does an order get from a console to the engine? As one file each, written aside and renamed in.

What an order means is the engine's business: here it is an id, a kind, a body and an expiry. Its answer is stored
in the transaction of its effect, so that a crash in between never does it twice.

A run has a spool of its own, in its folder: by that it is known who asks. Whatever lies there may be hostile.
"""

import os
import re
import secrets
import stat
import time
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from state.database import Connection
from state.errors import Refused
from state.files import write_private
from state.home import Home

ORDER_LIFETIME_MS = 60_000
RUN = "QUARTERDECK_RUN"
"""In the environment of every run: its number."""
OWN = "orders"
"""In the folder of a run: its own spool."""
MOST_FILES = 100
"""Of a run's own spool, at a look."""
MOST_BYTES = 64 * 1024
"""Of an order in it."""
_MOST_DROPPED = 10_000
_SHOWN = 60
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OSError)


class Order(Struct, frozen=True):
    """One wish of one console."""

    id: str
    kind: str
    body: msgspec.Raw
    created_ms: int
    expires_ms: int
    """An order that is found later than this is answered `expired` and has no effect."""
    made_by: str = ""
    """Where it was asked, in words that an operator knows: the terminal, and from where it is used."""


class Answer(Struct, frozen=True):
    """What became of an order. `answer` is JSON: a result, or `{"error", "fix"}` when not `ok`."""

    id: str
    kind: str
    at_ms: int
    ok: bool
    answer: str


class BadOrder(Struct, frozen=True):
    """A file in the spool that is no order; it has been moved aside."""

    path: str
    why: str


def own_folder(home: Home, run_id: int) -> Path:
    """The spool of a run: where it asks for runs of its own."""
    return home.run_folder(run_id) / OWN


def inside(home: Home, environ: Mapping[str, str]) -> int | None:
    """The run of this home whose spool is ours to use; None outside, and in one that was given none."""
    told = environ.get(RUN, "")
    if not _NUMBER.fullmatch(told) or not own_folder(home, int(told)).is_dir():
        return None
    return int(told)


def put(home: Home, kind: str, body: object, lifetime_ms: int = ORDER_LIFETIME_MS, *, run_id: int | None = None) -> str:
    """Leave an order for the engine, in the spool of a run where that is told; returns its id. Raises Refused when it
    is longer than a run's may be."""
    now = time.time_ns()
    order_id = f"{now:020d}-{secrets.token_hex(4)}" + ("" if run_id is None else f"-{run_id}")
    order = Order(
        id=order_id,
        kind=kind,
        body=msgspec.Raw(msgspec.json.encode(body)),
        created_ms=now // 1_000_000,
        expires_ms=now // 1_000_000 + lifetime_ms,
        made_by=whereabouts(os.environ),
    )
    content = msgspec.json.encode(order)
    if run_id is not None and len(content) > MOST_BYTES:
        raise Refused(f"an order of a run may have {MOST_BYTES:,} bytes, this one has {len(content):,}", "say less")
    write_private(_path(home, order_id, run_id), content)
    return order_id


def whereabouts(environ: Mapping[str, str]) -> str:
    """The terminal that we are used in, and the machine that its user sits at; without one, the process."""
    for file in range(3):
        with suppress(OSError):
            terminal = os.ttyname(file).removeprefix("/dev/")
            client = environ.get("SSH_CONNECTION", "").split(" ")[0]
            return f"{terminal} from {client}" if client else terminal
    return f"process {os.getpid()}"


def pending(home: Home) -> tuple[list[Order], list[BadOrder]]:
    """Every order in the spool, oldest first; files that are none are moved to `orders/bad`."""
    orders: list[Order] = []
    bad: list[BadOrder] = []
    for path in sorted(home.orders.glob("[0-9]*.json")):
        try:
            order = msgspec.json.decode(path.read_bytes(), type=Order)
            if path.stem != order.id:
                raise msgspec.ValidationError("its id is not its file name")
            orders.append(order)
        except FileNotFoundError:
            continue
        except _UNREADABLE as error:
            bad.append(BadOrder(path=str(_move_aside(home, path)), why=str(error)))
    return orders, bad


def waiting(home: Home, kind: str) -> list[Order]:
    """Orders of this kind that no engine has taken up yet, oldest first. Nothing is moved."""
    found: list[Order] = []
    for path in sorted(home.orders.glob("[0-9]*.json")):
        with suppress(FileNotFoundError, *_UNREADABLE):
            found.append(msgspec.json.decode(path.read_bytes(), type=Order))
    return [order for order in found if order.kind == kind]


def left_by_run(home: Home, run_id: int) -> tuple[list[Order], list[BadOrder]]:
    """What is in the spool of a run, oldest first, of a bounded number of files. Those that are no orders are removed;
    a folder that is not empty stays. Nothing is followed, and nothing can make this wait."""
    orders: list[Order] = []
    bad: list[BadOrder] = []
    with suppress(OSError), _Folder(own_folder(home, run_id)) as folder:
        for name in sorted(name for name in folder.names(MOST_FILES) if not name.startswith(".")):
            try:
                orders.append(_own_order(folder, name, run_id))
            except FileNotFoundError:
                continue
            except _UNREADABLE as error:
                bad.append(BadOrder(path=f"{name[:_SHOWN]!a}", why=_why(error)))
                folder.remove(name)
    return orders, bad


def drop_own(home: Home, run_id: int) -> None:
    """Whatever is left in the spool of a run that has ended: nobody asks for it any more."""
    with suppress(OSError), _Folder(own_folder(home, run_id)) as folder:
        for name in folder.names(_MOST_DROPPED):
            folder.remove(name)


class _Folder:
    """A folder of somebody else's, held open so that no link can take its place."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, _FOLDER)

    def __enter__(self) -> "_Folder":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def names(self, most: int) -> list[str]:
        with os.scandir(self._descriptor) as listing:
            return [item.name for item in islice(listing, most)]

    def read(self, name: str) -> bytes:
        """Raises OSError, or ValidationError for what is no file or too long."""
        _check_file(os.stat(name, dir_fd=self._descriptor, follow_symlinks=False))  # to open a device may do something
        descriptor = os.open(name, _FILE, dir_fd=self._descriptor)
        try:
            _check_file(os.fstat(descriptor))
            return os.read(descriptor, MOST_BYTES)
        finally:
            os.close(descriptor)

    def remove(self, name: str) -> None:
        with suppress(OSError):
            os.unlink(name, dir_fd=self._descriptor)
            return
        with suppress(OSError):
            os.rmdir(name, dir_fd=self._descriptor)


def _own_order(folder: _Folder, name: str, run_id: int) -> Order:
    """An id that could be that of somebody else's order would answer that one, too."""
    if not re.fullmatch(rf"[0-9]{{20}}-[0-9a-f]{{8}}-{run_id}\.json", name):
        raise msgspec.ValidationError(f"its name is not that of an order of run {run_id}")
    order = msgspec.json.decode(folder.read(name), type=Order)
    if name != f"{order.id}.json":
        raise msgspec.ValidationError("its id is not its file name")
    return order


def _check_file(info: os.stat_result) -> None:
    if not stat.S_ISREG(info.st_mode):
        raise msgspec.ValidationError("it is no regular file")
    if info.st_size > MOST_BYTES:
        raise msgspec.ValidationError(f"it has more than {MOST_BYTES:,} bytes")


def _why(error: Exception) -> str:
    """In words that hold nothing of the file."""
    return error.strerror or "it cannot be read" if isinstance(error, OSError) else str(error)


def remove(home: Home, order_id: str, run_id: int | None = None) -> None:
    """Take an order out of the spool: its answer is stored. From that of a run as far as that run lets us."""
    if run_id is None:
        _path(home, order_id, None).unlink(missing_ok=True)
        return
    with suppress(OSError), _Folder(own_folder(home, run_id)) as folder:
        folder.remove(f"{order_id}.json")


def _path(home: Home, order_id: str, run_id: int | None) -> Path:
    folder = home.orders if run_id is None else own_folder(home, run_id)
    return folder / f"{order_id}.json"


def _move_aside(home: Home, path: Path) -> Path:
    folder = home.orders / "bad"
    folder.mkdir(mode=0o700, exist_ok=True)
    return path.rename(folder / path.name)


def answer_of(connection: Connection, order_id: str) -> Answer | None:
    """The stored answer, if the order has been done."""
    found = connection.execute("SELECT id, kind, at_ms, ok, answer FROM orders WHERE id = ?", (order_id,)).fetchone()
    if found is None:
        return None
    return Answer(id=found[0], kind=found[1], at_ms=found[2], ok=bool(found[3]), answer=found[4])


def store_answer(tx: Connection, order: Order, at_ms: int, ok: bool, answer: Any) -> None:
    """Record that an order is done, in the transaction that did it."""
    text = msgspec.json.encode(answer).decode()
    tx.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", (order.id, order.kind, at_ms, int(ok), text))


def forget(tx: Connection, order_id: str) -> None:
    """Drop one answer that nobody waits for any more."""
    tx.execute("DELETE FROM orders WHERE id = ?", (order_id,))


def forget_before(tx: Connection, at_ms: int) -> None:
    """Answers are kept long enough for the slowest console to read them."""
    tx.execute("DELETE FROM orders WHERE at_ms < ?", (at_ms,))
