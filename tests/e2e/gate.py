"""What the tests of the gate share: what stands in a verdict, and a `qd` that keeps waiting beside the test."""

import json
import subprocess
from contextlib import contextmanager

README = "# Plan\n\n- [ ] mend the pump\n"
SPAWN = ("spawn", "--inject", "README.md", "--", "sh", "-c", "cat > /dev/null; echo done")
TOO_SMALL = "[adapter.command]\noutput_tokens = 400\n[budget.small]\nwindow = 'day'\ntokens = 100\naction = '{}'\n"


def check(run, name):
    return next(item for item in run["verdict"]["checks"] if item["name"] == name)


def failed(run):
    return [item["name"] for item in run["verdict"]["checks"] if not item["ok"]]


@contextmanager
def waiting(desk, *words):
    """A `qd` that keeps waiting beside the test, with its standard error so far in a file."""
    said = desk.home / "waiting.err"
    with said.open("wb") as errors:
        child = subprocess.Popen(
            [*desk.argv, *words],
            env=desk.env,
            cwd=desk.workspace,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        child.said = said.read_text
        try:
            yield child
        finally:
            child.kill()
            child.communicate()


def as_json(*words):
    """With `--json` before what is not ours."""
    at = words.index("--") if "--" in words else len(words)
    return (*words[:at], "--json", *words[at:])


def ended(child, patience_s=40):
    """What it printed as JSON, and its exit code."""
    out, _ = child.communicate(timeout=patience_s)
    return json.loads(out), child.returncode
