"""How is the built-in digest agent started, and what does its output mean?

It needs no model and costs nothing. The child itself is `digest_program`."""

import json
import sys
from pathlib import Path

import msgspec

import engine
from engine.adapters.digest_program import NO_CONVERSATION
from engine.contract.launch import AdapterRequest, AdapterResult, Launch, Prompt, RunUsage

_GLOB = frozenset("*?[]{}!")


class _Usage(msgspec.Struct, frozen=True):
    input_tokens: int
    output_tokens: int


class _Answer(msgspec.Struct, frozen=True):
    text: str = ""
    usage: _Usage | None = None
    error: str = ""


class DigestAdapter:
    """Open items, changes and salient sentences of the injected files, told apart without a model."""

    name = "digest"
    free = True

    def resumes(self, argv_resume: tuple[str, ...]) -> bool:
        """Its conversations are files of ours."""
        return True

    def launch(self, request: AdapterRequest) -> Launch:
        # -P: the child's folder is the workspace, whose modules must not take the place of ours.
        argv = [sys.executable, "-P", "-m", "engine.adapters.digest_program", f"--state={request.agent_state}"]
        if request.provider_id is not None:
            argv.append(f"--conversation={request.provider_id}")
        if request.resume:
            argv.append("--resume")
        if request.output_limit_tokens > 0:
            argv.append(f"--limit-tokens={request.output_limit_tokens}")
        target = _target(request)
        if target is not None:
            argv += [f"--workspace={request.workspace}", f"--write={target}"]
        return Launch(tuple(argv), _job(request.prompt), {"PYTHONPATH": str(Path(engine.__file__).parent.parent)})

    def used(self, folder: Path) -> RunUsage | None:
        """It tells with its answer: it is over in an instant."""
        return None

    def result(self, stdout: bytes, stderr: bytes, exit_code: int | None) -> AdapterResult:
        try:
            answer = msgspec.json.decode(stdout, type=_Answer)
        except msgspec.MsgspecError:
            return AdapterResult("", ok=False, why=_crashed(stderr, exit_code))
        if exit_code != 0 or answer.usage is None:
            why = answer.error or _crashed(stderr, exit_code)
            refused = exit_code == NO_CONVERSATION
            return AdapterResult("", False, why, RunUsage(0, 0, cost_microusd=0), resume_refused=refused)
        usage = RunUsage(answer.usage.input_tokens, answer.usage.output_tokens, cost_microusd=0)
        raw = msgspec.json.encode(answer.usage).decode()
        return AdapterResult(answer.text, ok=True, usage=usage, raw_usage=raw)


def _job(prompt: Prompt) -> str:
    files = [{"path": part.source, "text": part.text} for part in prompt.sent if part.kind == "file"]
    task = "\n".join(part.text for part in prompt.sent if part.kind == "task")
    notes = [part for part in prompt.sent if part.kind not in ("file", "task")]
    others = [{"kind": part.kind, "source": part.source, "text": part.text} for part in notes]
    return json.dumps({"task": task, "files": files, "notes": others, "input_tokens": prompt.tokens})


def _target(request: AdapterRequest) -> str | None:
    """The one file that the run may write, when its scope names exactly one."""
    if len(request.can_write) != 1:
        return None
    path = request.can_write[0]
    if not path or path.endswith("/") or _GLOB & set(path) or Path(request.workspace, path).is_dir():
        return None
    return path


def _crashed(stderr: bytes, exit_code: int | None) -> str:
    last = stderr.decode(errors="replace").strip().rpartition("\n")[2][:200]
    how = "ended by a signal" if exit_code is None else f"exited with code {exit_code}"
    return f"the digest {how} without an answer" + (f": {last}" if last else "")
