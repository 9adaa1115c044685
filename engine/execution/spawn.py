"""How does a run's leader come to life, on record before it does anything, and with nothing of ours but three pipes?

Standard library alone, as all that a keeper imports."""

import os
import signal
from collections.abc import Callable

from engine.execution.cgroup import fork_into
from engine.execution.job import Job
from engine.execution.landlock import restrict
from engine.execution.output import CHUNK

OnRecord = Callable[[int, bool], None]
"""Told the child's pid before it does anything, and whether it was born in the group."""


def spawn(job: Job, stdin: int, group: str | None, on_record: OnRecord) -> tuple[int, int, int]:
    """Start the child with this input, in this control group; its pid, and the pipes of its output and errors.
    Raises OSError with the reason when it does not get to exec."""
    try:
        (out, child_out), (err, child_err), (report, child_report), (child_go, go) = (os.pipe() for _ in range(4))
    except OSError as error:
        raise OSError(f"cannot make its pipes: {error.strerror}") from error
    pid, grouped = _fork(group, lambda: _become(job, go, child_go, stdin, child_out, child_err, child_report))
    for fd in (child_go, child_out, child_err, child_report):
        os.close(fd)
    why = _let_go(lambda: on_record(pid, grouped), go, report)
    if why:
        os.waitpid(pid, 0)
        raise OSError(why)
    return pid, out, err


def _fork(group: str | None, become: Callable[[], None]) -> tuple[int, bool]:
    """No signal is taken by the child before it is itself."""
    signals = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = _born_in(group) if group else None
        grouped = pid is not None
        if pid is None:
            pid = os.fork()
        if pid == 0:
            become()
        return pid, grouped
    except OSError as error:
        raise OSError(f"cannot fork: {error.strerror}") from error
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, signals)


def _born_in(group: str) -> int | None:
    """None where the kernel refuses: then it is forked as anywhere else."""
    try:
        return fork_into(group)
    except OSError:
        return None


def _let_go(on_record: Callable[[], None], go: int, report: int) -> str:
    """Let the child exec, now that its pid is on record for those who come after us; why it could not."""
    try:
        on_record()
        os.write(go, b"!")
    except BrokenPipeError:  # It has failed already, and reports why.
        pass
    except OSError as error:
        return f"the run's folder cannot be written: {error.strerror}"
    finally:
        os.close(go)
    with open(report, "rb") as file:
        return file.read().decode(errors="replace")


def _become(job: Job, ours: int, go: int, stdin: int, out: int, err: int, report: int) -> None:
    """In the forked child: never returns."""
    stage = "session"
    try:
        os.close(ours)
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
        stage = f"working folder {job.cwd}"
        os.chdir(job.cwd)
        stage = "sandbox"
        if job.sandbox is not None:
            restrict(job.sandbox)
        stage = job.argv[0]
        for fd, place in ((stdin, 0), (out, 1), (err, 2)):
            os.dup2(fd, place)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if os.read(go, 1):  # Nothing when the keeper has died.
            _exec(job.argv, job.env)
    except BaseException as error:  # Whatever it was, this copy of the keeper must not live on.
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        os.write(report, f"{stage}: {why}".encode(errors="replace")[:CHUNK])
    finally:
        os._exit(127)


def _exec(argv: list[str], env: dict[str, str]) -> None:
    """As `os.execvpe`, which imports a module to do it: in a sandbox there may be none to read. Raises OSError, of all
    places that PATH names the first that held a reason better than that it is not there."""
    if "/" in argv[0]:
        os.execve(argv[0], argv, env)
    better, missing = None, None
    for folder in env.get("PATH", os.defpath).split(os.pathsep):
        try:
            os.execve(os.path.join(folder, argv[0]), argv, env)  # noqa: PTH118
        except (FileNotFoundError, NotADirectoryError) as error:
            missing = error
        except OSError as error:
            better = better or error
    raise better or missing or FileNotFoundError
