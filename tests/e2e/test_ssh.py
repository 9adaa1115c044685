"""The console over a real sshd on loopback: a connection is cut in the middle of a run, and nothing is lost by it."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from state import seen
from state.home import Home
from tests.e2e.pty import Pty

PLACES = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"
SSHD, SSH, KEYGEN = (shutil.which(name, path=PLACES) for name in ("sshd", "ssh", "ssh-keygen"))
SEPARATE = Path("/run/sshd")
"""Where a privileged sshd keeps those apart who have not logged in yet."""
CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/key.pub
PidFile {folder}/pid
AuthenticationMethods publickey
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PrintMotd no
PrintLastLog no
SetEnv {env}
"""
EVERY_TWO_SECONDS = """
[agent.shell]
adapter = "command"
argv = ["true"]
workspace = "~/work"
[job.steady]
every = "2s"
agent = "shell"
"""


def missing():
    """Why there can be no sshd here; empty when there can."""
    if not (SSHD and SSH and KEYGEN):
        return "needs sshd, ssh and ssh-keygen, from openssh-server and openssh-client, which .ci/run installs"
    if os.geteuid() == 0 and not SEPARATE.is_dir():
        return f"needs {SEPARATE}, which .ci/run makes"
    return ""


pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "it can run here")


class Sshd:
    """A server of our own, with keys of its own, that lets in who runs it."""

    def __init__(self, folder, desk):
        folder.mkdir(mode=0o700)
        self._folder, self._desk = folder, desk
        for name in ("host_key", "key"):
            subprocess.run([KEYGEN, "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        given = " ".join(f'"{key}={value}"' for key, value in desk.env.items() if key != "TERM")
        config = folder / "sshd_config"
        config.write_text(CONFIG.format(port=self.port, folder=folder, env=given))
        self.process = subprocess.Popen([SSHD, "-D", "-E", str(folder / "log"), "-f", str(config)])

    def up(self):
        assert self.process.poll() is None, (self._folder / "log").read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as line:
            return line.recv(4) == b"SSH-"
        return False

    def login(self, *words):
        """`ssh -tt` of these words, in a terminal of its own."""
        said = ["-F", "none", "-p", str(self.port), "-i", str(self._folder / "key"), "-o", "StrictHostKeyChecking=no"]
        said += ["-o", f"UserKnownHostsFile={self._folder}/known", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"]
        argv = [SSH, "-tt", *said, f"{pwd.getpwuid(os.geteuid()).pw_name}@127.0.0.1", " ".join(words)]
        return Pty(argv, self._desk.env, str(self._desk.workspace))

    def children(self):
        """The processes of connections, each with all that it has started in its own name."""
        tasks = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in tasks]

    def close(self):
        for pid in self.children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture
def sshd(desk, tmp_path, wait_until):
    server = Sshd(tmp_path / "sshd", desk)
    try:
        wait_until(server.up, "sshd listens")
        yield server
    finally:
        server.close()


@pytest.fixture
def console(desk, sshd):
    """Logs in and opens a console; as often as one likes."""
    opened = []

    def login():
        opened.append(sshd.login(f"cd {desk.workspace} && exec {' '.join(desk.argv)}"))
        return opened[-1]

    yield login
    for one in opened:
        one.close()


def cut(sshd):
    """The line goes dead, as when a train enters a tunnel: nobody says goodbye."""
    for pid in sshd.children():
        os.kill(pid, signal.SIGKILL)


def test_a_cut_connection_ends_neither_the_run_nor_the_schedule_and_a_new_login_tells(desk, sshd, console, wait_until):
    desk.configure(EVERY_TWO_SECONDS)
    first = console()
    first.wait_for("engine up", "steady")
    first.send(
        ":run --detach --agent command --timeout 60s -- sh -c 'while [ ! -e go ]; do sleep 0.05; done; echo over'\r"
    )
    first.wait_for("1 running")
    engine = desk.holder_pid()
    before = fired(desk)
    cut(sshd)
    assert first.wait_end() != 0
    wait_until(lambda: not list((desk.state / "consoles").glob("*.console")), "the console has gone")
    wait_until(lambda: fired(desk) >= before + 2, "the schedule goes on")
    assert desk.holder_pid() == engine
    (run,) = (one for one in desk.json("run", "list")["runs"] if one["job"] is None)
    assert run["outcome"] is None
    (desk.workspace / "go").touch()
    assert desk.ended(run["run"])["outcome"] == "succeeded"
    long_ago(desk)
    second = console()
    second.wait_for("engine up", "while you were gone")
    second.send("w")
    second.wait_for("command succeeded")
    second.send("q")
    assert second.wait_end() == 0
    assert second.modes_left_on() == []


def long_ago(desk):
    """Who comes back within the minute is told nothing: the console was left two minutes ago."""
    home = Home(config=desk.config_file.parent, state=desk.state)
    left = seen.read(home)
    assert left is not None
    seen.write(home, left._replace(at_ms=left.at_ms - 120_000))


def fired(desk):
    """How many due times of the job have come to something."""
    (job,) = desk.json("cron", "list")["jobs"]
    return sum(slot["state"] == "finished" for slot in job["slots"])


def test_what_was_done_over_ssh_says_from_where(desk, console, wait_until):
    desk.configure(EVERY_TWO_SECONDS.replace("2s", "9h"))
    one = console()
    one.wait_for("engine up", "steady")
    one.send("2")
    one.send("p")
    one.wait_for("paused")
    (act,) = wait_until(lambda: desk.json("undo", "list")["acts"], "the act is on record")
    assert act["by"].startswith("pts/")
    assert act["by"].endswith(" from 127.0.0.1")
