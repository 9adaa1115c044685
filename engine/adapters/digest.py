"""How is the built-in digest agent started, and what does its output mean?

It needs no model and costs nothing. The child itself is `digest_program`."""

import json
import sys
from pathlib import Path

import msgspec

import engine
from engine.adapters.digest_program import NO_CONVERSATION
from engine.adapters.tape import STEP_BYTES, last_line
from engine.contract.adapter import Reader, Speech
from engine.contract.launch import AdapterRequest, AdapterResult, Launch, Prompt, RunUsage, Wanted

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
    source: str | None = None
    provider = "local"
    key_env: str | None = None
    speech: Speech | None = None

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

    def lacks(self, wanted: Wanted) -> tuple[str, str]:
        if not wanted.inject:
            return "it reads the files that are injected, and none is named", "name a file to inject"
        if wanted.model is not None:
            return f"it needs no model, and {wanted.model} is asked for", "leave the model out, or take another agent"
        return ("it takes no program", "leave out what follows --") if wanted.argv else ("", "")

    def overhead_tokens(self, wanted: Wanted) -> int:
        """It sends nothing to anybody."""
        return 0

    def reader(self, folder: Path, start: int = 0) -> Reader:
        return DigestReader(folder)


class DigestReader:
    """It tells everything with its answer: it is over in an instant."""

    usage: RunUsage | None = None
    turns = 0
    offset = 0

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def poll(self) -> None:
        """Nothing before its end."""

    def result(self, exit_code: int | None) -> AdapterResult:
        try:
            with (self._folder / "stdout.log").open("rb") as file:
                answer = msgspec.json.decode(file.read(STEP_BYTES), type=_Answer)
        except (OSError, msgspec.MsgspecError):
            return AdapterResult("", ok=False, why=self._crashed(exit_code))
        if exit_code != 0 or answer.usage is None:
            why = answer.error or self._crashed(exit_code)
            refused = exit_code == NO_CONVERSATION
            return AdapterResult("", False, why, RunUsage(0, 0, cost_microusd=0), resume_refused=refused)
        usage = RunUsage(answer.usage.input_tokens, answer.usage.output_tokens, cost_microusd=0)
        raw = msgspec.json.encode(answer.usage).decode()
        return AdapterResult(answer.text, ok=True, usage=usage, raw_usage=raw)

    def _crashed(self, exit_code: int | None) -> str:
        last = last_line(self._folder / "stderr.log")
        how = "ended by a signal" if exit_code is None else f"exited with code {exit_code}"
        return f"the digest {how} without an answer" + (f": {last}" if last else "")


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
