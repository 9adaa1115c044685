"""Is a run held to what it was given: to its scope by the kernel, to a no by the operator? And its secrets to it?"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.contract.orders import Decide, RunRequest
from engine.execution.sandbox import features, means_of
from engine.proof.desk import Site, must, need
from engine.proof.trip import Drill, Found, admitted, refused
from state import approvals, runs

ASKER = """
import json, sys


def send(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def hear():
    line = sys.stdin.readline()
    return json.loads(line) if line else sys.exit()


while True:
    heard = hear()
    number, params = heard.get("id"), {"sessionId": "drill"}
    if heard.get("method") == "initialize":
        send(id=number, result={"protocolVersion": 1, "agentCapabilities": {}})
    elif heard.get("method") == "session/new":
        send(id=number, result=params)
    elif heard.get("method") == "session/prompt":
        options = [{"optionId": "yes", "name": "Yes", "kind": "allow_once"}]
        options += [{"optionId": "no", "name": "No", "kind": "reject_once"}]
        call = {"toolCallId": "t", "title": "sell the pump", "kind": "execute"}
        send(id="q", method="session/request_permission", params=params | {"toolCall": call, "options": options})
        while (answer := hear()).get("id") != "q":
            pass
        text = {"type": "text", "text": "told: " + json.dumps(answer["result"]["outcome"])}
        update = {"sessionUpdate": "agent_message_chunk", "content": text}
        send(method="session/update", params=params | {"update": update})
        send(id=number, result={"stopReason": "end_turn"})
"""
"""An agent of the Agent Client Protocol that asks before it answers, and answers with what it was told."""
_AGENT = f'[agent.drill_asks]\nadapter = "acp"\nargv = {json.dumps([sys.executable, "-c", ASKER])}\n'
_SECRETIVE = """[agent.drill_secret]
adapter = "command"
argv = ["true"]
secrets = {{ PUMP_KEY = {reference} }}
"""
_SECRET = "drill-secret-a7c1f3"
_NOT_SEARCHED = ("stdout.log", "result.txt")
"""What a run itself says of its secret is its own."""


def _written(site: Site) -> Found:
    """Inside its scope it may write; beside it in the workspace, and beside that, it may not."""
    if means_of("require", features()) == "advisory":
        return _required(site)
    script = "echo in > notes/in.md; echo out > outside.md; echo out > ../outside.md; echo out > ~/outside.md; echo end"
    site.write("notes/a.md", "kept\n")
    run = _ended(site, _sandboxed(site, script, can_write=("notes/",)))
    there = [site.workspace / "outside.md", site.folder / "outside.md", site.desk.user / "outside.md"]
    written = [str(path) for path in there if path.exists()]
    need(not written, f"run {run.id} wrote {', '.join(written)}, which is outside its scope")
    need((site.workspace / "notes" / "in.md").exists(), f"run {run.id} could not write what it may")
    told = _stderr(site, run.id)
    evidence = (f"run {run.id} was told: {told}", "control: notes/in.md, inside its scope, is there")
    return Found(f"{run.sandbox}: three files outside its scope are not there", evidence)


def _read(site: Site) -> Found:
    """What lies beside its workspace it may not even read, when it reads strictly."""
    if means_of("require", features()) == "advisory":
        return _required(site)
    (site.folder / "beside.md").write_text("not yours\n", encoding="utf-8")
    site.write("a.md", "yours\n")
    script = "cat a.md ../beside.md; echo end"
    run = _ended(site, _sandboxed(site, script, read="strict"))
    text = _answer(site, run.id)
    need("not yours" not in text, f"run {run.id} read ../beside.md")
    need("yours" in text, f"run {run.id} could not read a.md, which lies in its workspace")
    control = _ended(site, _sandboxed(site, script, read="open"))
    need("not yours" in _answer(site, control.id), f"run {control.id} could not read what it may")
    evidence = (
        f"run {run.id} was told: {_stderr(site, run.id)}",
        f"control: run {control.id}, with read = open, reads it",
    )
    return Found(f"{run.sandbox}: what lies beside the workspace is not read", evidence)


def _required(site: Site) -> Found:
    """Where this kernel has nothing to hold it by: then it is not started."""
    return refused(site, "scope", "", site.request(sandbox="require"))


def _sandboxed(site: Site, script: str, **said: Any) -> RunRequest:
    return site.request(argv=("sh", "-c", script), sandbox="require", **said)


def _ended(site: Site, request: RunRequest) -> runs.Run:
    run = site.ended(admitted(site, request).run)
    need("end" in _answer(site, run.id), f"the program of run {run.id} did not come to its end: {run.why}")
    return run


def _answer(site: Site, run_id: int) -> str:
    return (site.desk.home.run_folder(run_id) / "stdout.log").read_text(encoding="utf-8", errors="replace")


def _stderr(site: Site, run_id: int) -> str:
    text = (site.desk.home.run_folder(run_id) / "stderr.log").read_text(encoding="utf-8", errors="replace")
    return "; ".join(text.strip().splitlines())


def _asked(site: Site) -> Found:
    """Nothing is done unasked, and a no is a no."""
    denied, question = _decided(site, approve=False)
    need('"no"' in denied or "cancelled" in denied, f"it was denied, and was {denied}")
    allowed, _ = _decided(site, approve=True)
    need('"yes"' in allowed, f"control: it was allowed, and was {allowed}")
    return Found(
        f"asked: {question}", (f"denied by the operator, it was {denied}", f"control: allowed, it was {allowed}")
    )


def _decided(site: Site, *, approve: bool) -> tuple[str, str]:
    """What the program was told, and what the operator was asked."""
    run_id = admitted(site, site.request(argv=(), agent="drill_asks", permissions="ask")).run
    (asked,) = site.until(lambda: approvals.permissions(site.books, run_id), f"run {run_id} asks")
    need(site.run(run_id).live, f"run {run_id} did not wait for the answer")
    site.desk.order("decide", Decide(asked.id, approve, asked.sha256))
    site.ended(run_id)
    return _told(site, run_id), asked.what


def _unasked(site: Site) -> Found:
    """A run that may not ask is told no at once, and nobody is bothered."""
    run_id = admitted(site, site.request(argv=(), agent="drill_asks", permissions="deny")).run
    site.ended(run_id)
    asked = approvals.permissions(site.books, run_id)
    need(not asked, f"run {run_id} may not ask, and question {[one.id for one in asked]} was put")
    told = _told(site, run_id)
    need('"yes"' not in told, f"run {run_id} may not ask, and was {told}")
    return Found(f"denied: run {run_id} was {told}", ("nobody was asked",))


def _told(site: Site, run_id: int) -> str:
    path = site.desk.home.run_folder(run_id) / "result.txt"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return must(text or None, f"run {run_id} ended without an answer: {site.run(run_id).why}")


def _secret(site: Site) -> Found:
    """It reaches the program that it is for, and no other place."""
    kept = site.folder / "secret"
    kept.write_text(f"{_SECRET}\n", encoding="utf-8")
    kept.chmod(0o600)
    site.configure(_SECRETIVE.format(reference=json.dumps(f"file:{kept}")))
    script = 'echo "key $PUMP_KEY"; until [ -e ../go ]; do sleep 0.02; done'
    run_id = admitted(site, site.request(script, agent="drill_secret")).run
    site.until(lambda: site.started(run_id), "its program is there")
    _nowhere(site, "while it lived")
    (site.folder / "go").touch()
    run = site.ended(run_id)
    need(_SECRET in _answer(site, run_id), f"run {run_id} was not handed its secret")
    need(_SECRET not in (run.summary or ""), f"the summary of run {run_id} has the secret")
    files = _nowhere(site, "when it had ended")
    other = site.ended(admitted(site, site.request('echo "key $PUMP_KEY"')).run)
    need(_SECRET not in _answer(site, other.id), f"run {other.id}, of another agent, has the secret")
    control = f"run {run_id} was handed it, and run {other.id}, of another agent, was not"
    return Found(f"its answer is kept as: {run.summary}", (f"it is in none of {files} files of the state", control))


def _nowhere(site: Site, when: str) -> int:
    """How many files of the state were searched. Raises NotTripped when one has the secret."""
    searched = list(_files(site.desk.home.state))
    found = [str(path) for path, content in searched if _SECRET.encode() in content]
    need(not found, f"{when}, the secret stood in {', '.join(found)}")
    return len(searched)


def _files(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for place, _, names in os.walk(folder):
        for path in (Path(place, name) for name in names if name not in _NOT_SEARCHED):
            if path.is_file():
                yield path, path.read_bytes()


DRILLS = (
    Drill(
        "sandbox.write",
        ("sandbox", "scope"),
        "a run that may write notes/ and writes beside it, beside the workspace and in HOME",
        "kept from it by the kernel; refused where the kernel cannot",
        _written,
    ),
    Drill(
        "sandbox.read",
        ("sandbox", "scope"),
        "a run that is to read strictly and reads ../beside.md",
        "kept from it by the kernel; refused where the kernel cannot",
        _read,
    ),
    Drill(
        "permission.ask",
        ("permission",),
        "an agent that wants to do more than it may; the operator denies it",
        "it waits, and is told no",
        _asked,
        _AGENT,
    ),
    Drill(
        "permission.deny",
        ("permission",),
        "the same agent in a run that may not ask",
        "told no at once",
        _unasked,
    ),
    Drill(
        "secret",
        ("secret",),
        "a run that is handed a secret and says it",
        "in none of our files but what it put out itself",
        _secret,
    ),
)
