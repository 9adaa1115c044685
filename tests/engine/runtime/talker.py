"""An agent that does as the lines of its prompt say, over several turns, and the adapter that speaks to it.

What it tells are the records of `engine.contract.progress`, one to a line; what it is told are three kinds of lines.
It takes the place of an adapter that has a speech, for tests that need no real client.

`say TEXT`, `use TOKENS`, `ask ID TOOL [PATH]` (waits for the answer, and tells it), `note KIND TEXT`, `wait FILE`
(until that is there, or it is interrupted), `deaf FILE` (the same without heeding interrupts), `slow FILE` (until it is
interrupted and that is there), `bg FILE` (leaves a process that is
there until that is), `began ID`, `fail TEXT`,
`unavailable TEXT`, `die SIGNAL`, `exit CODE`.
"""

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from engine.adapters.command import as_text
from engine.adapters.tape import Tape
from engine.contract.launch import AdapterResult, Launch, RunUsage
from engine.contract.progress import Progress, TurnOver

ROOT = Path(__file__).resolve().parents[3]


class Speech:
    def message(self, text):
        return _line({"message": text})

    def answer(self, asked, allow, why=""):
        return _line({"answer": asked, "allow": allow, "why": why})

    def interrupt(self):
        return _line({"interrupt": True})


class Talker:
    """`name` is that of the adapter whose place it takes; `lacking` is what it lacks."""

    free = True
    source = None
    provider = ""
    key_env = None

    def __init__(self, name, speech=True):
        self.name = name
        self.speech = Speech() if speech else None
        self.lacking = ("", "")
        self.helper = ()
        """A process that it starts for itself."""

    def resumes(self, argv_resume):
        return True

    def lacks(self, wanted):
        return self.lacking

    def overhead_tokens(self, wanted):
        return 0

    def launch(self, request):
        told = f"{request.provider_id} {'resumes' if request.resume else 'new'} {request.fork_of or ''}".strip()
        argv = (sys.executable, "-P", "-m", "tests.engine.runtime.talker", told, *self.helper)
        open_input = self.speech is not None
        line = _line({"message": as_text(request.prompt)}).decode()
        return Launch(argv, line, {"PYTHONPATH": str(ROOT)}, input_open=open_input)

    def reader(self, folder, start=0):
        return TalkReader(folder, start)


class TalkReader:
    def __init__(self, folder, start):
        self._tape = Tape(folder / "stdout.log", start)
        self._result = None
        self.usage = None
        self.turns = 0

    @property
    def offset(self):
        return self._tape.offset

    def poll(self):
        lines = self._tape.lines()
        if lines is None:
            return None
        told = []
        for line in lines:
            if line.startswith(b'{"used":'):
                self.usage = RunUsage(json.loads(line)["used"], 0, cost_microusd=0)
                self.turns += 1
                continue
            one = msgspec.json.decode(line, type=Progress)
            if isinstance(one, TurnOver):
                self._result = msgspec.structs.replace(one.result, usage=self.usage, turns=self.turns)
                one = TurnOver(self._result)
            told.append(one)
        return told

    def result(self, exit_code):
        while self.poll() is not None:
            continue
        if self._result is None:
            return AdapterResult("", False, f"no answer, exit code {exit_code}", self.usage, turns=self.turns)
        return self._result


def _line(value):
    return json.dumps(value).encode() + b"\n"


def main():
    """Be the agent: turns until the input ends."""
    told = sys.argv[1].split()
    if sys.argv[2:]:
        subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    tell({"type": "began", "provider_id": told[0]})
    box = Box()
    while (message := box.next("message")) is not None:
        turn(box, message["message"], " ".join(told[1:]))


def turn(box, text, how):
    said, used, result = f"[{os.getpid()} {how}]", 0, {"ok": True}
    for line in text.splitlines():
        verb, _, rest = line.strip().partition(" ")
        if verb == "say":
            tell({"type": "said", "text": rest})
            said += rest
        elif verb == "use":
            used += int(rest)
            tell({"used": used})
        elif verb == "note":
            kind, _, what = rest.partition(" ")
            tell({"type": "noted", "kind": kind, "text": what})
        elif verb == "began":
            tell({"type": "began", "provider_id": rest})
        elif verb == "ask":
            asked, tool, *path = rest.split()
            tell({"type": "asks", "id": asked, "tool": tool, "what": rest, "path": path[0] if path else None})
            answer = box.next("answer")
            said += f"({asked} {'allowed' if answer and answer['allow'] else 'denied'})"
            tell({"type": "answered", "id": asked})
        elif verb in ("wait", "deaf"):
            if box.wait(Path(rest), verb == "deaf"):
                result = {"ok": False, "why": "interrupted"}
                break
        elif verb == "bg":
            subprocess.Popen(["sh", "-c", f"until [ -e {rest} ]; do sleep 0.05; done"], start_new_session=True)
        elif verb == "slow":
            box.next("interrupt")
            box.wait(Path(rest), True)
            result = {"ok": False, "why": "interrupted"}
            break
        elif verb in ("fail", "unavailable"):
            result = {"ok": False, "why": rest, "unavailable": verb == "unavailable"}
        elif verb == "die":
            os.kill(os.getpid(), int(rest))
        elif verb == "exit":
            sys.exit(int(rest))
    tell({"type": "turn_over", "result": {"text": said} | result})


class Box:
    """What it has been told and has not used yet."""

    def __init__(self):
        self.held = []
        self.rest = b""
        self.open = True

    def next(self, kind):
        while True:
            for number, one in enumerate(self.held):
                if kind in one:
                    return self.held.pop(number)
            if not self.open:
                return None
            self.hear(None)

    def wait(self, path, deaf):
        """Whether it was interrupted."""
        while not path.exists():
            self.hear(0.02)
            if not deaf and any("interrupt" in one for one in self.held):
                self.held = [one for one in self.held if "interrupt" not in one]
                return True
        return False

    def hear(self, wait_s):
        if not self.open:
            time.sleep(0.02)
            return
        if not select.select([0], [], [], wait_s)[0]:
            return
        chunk = os.read(0, 65536)
        self.open = bool(chunk)
        *lines, self.rest = (self.rest + chunk).split(b"\n")
        self.held += [json.loads(line) for line in lines if line]


def tell(value):
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
