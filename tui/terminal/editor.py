"""How is a file opened in the operator's own editor, at a line, and how does the terminal come back?"""

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

UNSET = "no editor is set: export EDITOR=vi (or VISUAL), then start qd again"
_PLUS = {"vi", "vim", "nvim", "view", "vis", "nano", "pico", "emacs", "emacsclient", "mg", "jed", "joe", "ne", "kak"}
_PLUS |= {"micro", "ed", "ex", "vim.basic", "vim.tiny", "nvi"}
"""Those that go to a line with `+N` before the file."""
_GOTO = {"code", "code-insiders", "codium", "cursor"}
_COLON = {"hx", "helix", "subl", "zed"}


def chosen(environ: Mapping[str, str]) -> list[str]:
    """The words of $VISUAL, else of $EDITOR; none where neither is set, or cannot be read."""
    said = environ.get("VISUAL", "").strip() or environ.get("EDITOR", "").strip()
    try:
        return shlex.split(said)
    except ValueError:
        return []


def command(editor: Sequence[str], path: Path, line: int | None) -> list[str]:
    """What is run. A line is only told to editors that are known to understand it."""
    name = Path(editor[0]).name
    if line is None:
        return [*editor, str(path)]
    if name in _PLUS:
        return [*editor, f"+{line}", str(path)]
    if name in _GOTO:
        wait = [] if {"-w", "--wait"} & set(editor) else ["--wait"]
        return [*editor, *wait, "-g", f"{path}:{line}"]
    return [*editor, f"{path}:{line}" if name in _COLON else str(path)]


def edit(argv: Sequence[str]) -> str:
    """Run it on our terminal until it ends. What is odd about that in one line, else nothing. Whoever calls it must
    have let go of the terminal, and be deaf to its keys."""
    try:
        process = subprocess.Popen(argv)
    except OSError as error:
        return f"{argv[0]} cannot be started: {error.strerror or error}"
    status = _waited(process.pid)
    process.returncode = os.waitstatus_to_exitcode(status)
    name = Path(argv[0]).name
    if process.returncode < 0:
        return f"{name} was ended by signal {-process.returncode}"
    return f"{name} ended with exit code {process.returncode}" if process.returncode else ""


def _waited(pid: int) -> int:
    """No shell is above it that could bring it back once it has put itself aside: it goes on at once."""
    while True:
        _, status = os.waitpid(pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            return status
        os.killpg(os.getpgid(pid), signal.SIGCONT)


@contextmanager
def copy_of(path: Path, name: str) -> Iterator[Path]:
    """A copy that only its owner can read, and that is gone afterwards: the file itself goes on as evidence."""
    folder = Path(tempfile.mkdtemp(prefix="qd-"))
    try:
        copied = folder / name
        shutil.copyfile(path, copied)
        copied.chmod(0o400)
        yield copied
    finally:
        shutil.rmtree(folder)
