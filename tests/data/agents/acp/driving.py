"""The real program as its own child: a job in, events out, words between."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[3]
AGENT = HERE / "agent.py"
REPLAY = HERE / "replay.py"
PATIENCE_S = 60


class Program:
    """One run of the client. Every wait has a deadline: then it is killed, and its output ends."""

    def __init__(self, job, env=None, stderr=None, nursery=None):
        """`nursery`: which forks the program off; else it is started by itself."""
        self.events = []
        self.stderr = stderr or tempfile.TemporaryFile()
        clean = {"PATH": os.environ["PATH"], "HOME": str(job["cwd"]), "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
        if "LD_LIBRARY_PATH" in os.environ:
            clean["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
        env = clean if env is None else env | {"PYTHONPATH": str(ROOT)}
        self.process = (nursery.piped if nursery else _alone)(cwd=job["cwd"], env=env, stderr=self.stderr)
        self._watch = threading.Timer(PATIENCE_S, self._give_up)
        self._watch.start()
        self.say(job)

    def say(self, word):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(word).encode() + b"\n")
            self.process.stdin.flush()

    def next(self):
        """The next event."""
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"it has ended: {self.events[-5:]} {self.errors()[-2000:]}")
        self.events.append(json.loads(line))
        return self.events[-1]

    def until(self, kind):
        """The next event of this type."""
        while (event := self.next())["type"] != kind:
            continue
        return event

    def terminate(self):
        self.process.terminate()

    def end(self, close=True):
        """Its exit code, once all that it has to say is in `events`."""
        if close:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
        self.events += [json.loads(line) for line in self.process.stdout]
        code = self.process.wait()
        self._watch.cancel()
        self.process.stdout.close()
        if not close:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
        return code

    def errors(self):
        self.stderr.seek(0)
        return self.stderr.read()

    def of(self, kind):
        return [event for event in self.events if event["type"] == kind]

    @property
    def text(self):
        return "".join(event["text"] for event in self.of("said"))

    @property
    def result(self):
        """Of the last turn."""
        return self.of("turn_over")[-1]["result"]

    def close(self):
        """End it, however far it is."""
        self._watch.cancel()
        self._give_up()
        self.process.wait()
        for file in (self.process.stdin, self.process.stdout, self.stderr):
            with contextlib.suppress(BrokenPipeError):
                file.close()

    def _give_up(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


def _alone(**how):
    argv = [sys.executable, "-P", "-m", "engine.adapters.acp_client"]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, **how)


def job(workspace, *steps, agent=(), **changes):
    """A job for the scripted agent."""
    argv = [sys.executable, str(AGENT), *agent]
    return {"argv": argv, "cwd": str(workspace), "prompt": json.dumps(steps)} | changes
