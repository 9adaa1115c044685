"""How does one speak to a model over HTTP: Anthropic's, OpenAI's and those that speak like it, Ollama's?

The child is our own program, `engine.adapters.runner`; its package says what goes in and what comes out.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

import engine
from engine.adapters.ollama_server import lacks_model
from engine.adapters.runner.job import ANTHROPIC_URL, OLLAMA_URL, OPENAI_URL, Api, Job, JobPart, Tool
from engine.adapters.runner.lines import Ended, Line, Used
from engine.adapters.runner.schemas import TOOLS, tool_schemas
from engine.adapters.runner.talk import BYTES_PER_TOKEN
from engine.adapters.tape import Tape, last_line
from engine.contract.adapter import Reader, Speech
from engine.contract.launch import (
    OPENING,
    AdapterRequest,
    AdapterResult,
    Launch,
    Part,
    Prompt,
    RunUsage,
    Service,
    Wanted,
)
from engine.contract.progress import Progress, Said, ToolDone
from engine.tokens.count import count_tokens
from state.errors import Refused

OUTPUT_TOKENS = 8192
"""The most that one answer may have, where more is not expected."""
OUTPUT_CAP = 32 * 1024 * 1024
"""Bytes that are kept of what the program puts out: answers are bounded, and nothing of them is to be lost."""
_ROOT = Path(engine.__file__).parent.parent
_decoder = msgspec.json.Decoder(Line)


class ModelAdapter:
    """A model behind one kind of server. It has no tools by itself."""

    source: str | None = None
    speech: Speech | None = None

    def __init__(self, name: str, provider: str, key_env: str | None, *, free: bool) -> None:
        self.name = name
        self.provider = provider
        self.key_env = key_env
        self.free = free

    def resumes(self, argv_resume: tuple[str, ...]) -> bool:
        """Its conversations are files of ours."""
        return True

    def lacks(self, wanted: Wanted) -> tuple[str, str]:
        if wanted.argv:
            return "it takes no program", "leave out what follows --"
        if wanted.model is None:
            return (
                f"nothing says which model of {self.name}",
                f"name one: --model {self.name}/MODEL, or model in the TOML",
            )
        unknown = [tool for tool in wanted.tools or () if tool not in TOOLS]
        if unknown:
            return f"a model over HTTP has no tool '{unknown[0]}'", f"choose from {', '.join(TOOLS)}"
        url = base_url(self.name, wanted.service)
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
            return f"'{url}' is no address of a server", "write base_url as http://HOST:PORT or https://HOST"
        if self.key_env is not None and not wanted.service.key_known and wanted.service.base_url is None:
            fix = f"set {self.key_env} where the engine starts, or key under [adapter.{self.name}]"
            return f"there is no key for {self.name}", fix
        return lacks_model(url, wanted.model) if self.name == "ollama" else ("", "")

    def overhead_tokens(self, wanted: Wanted) -> int:
        """The declarations of its tools."""
        return count_tokens(tool_schemas(api_of(self.name, wanted.service), wanted.tools or ())).tokens

    def replayed_tokens(self, prompt: Prompt, agent_state: Path, conversation: str) -> int:
        """About what goes with each request beside what is said now, when a conversation goes on: all that it holds,
        and what opens it."""
        try:
            held = (agent_state / f"{conversation}.jsonl").stat().st_size // BYTES_PER_TOKEN
        except OSError:  # then it cannot go on, and begins anew
            held = 0
        return held + sum(part.tokens for part in prompt.parts if part.kind in OPENING and not part.sent)

    def launch(self, request: AdapterRequest) -> Launch:
        """Raises Refused when there is nothing to say to it."""
        job = msgspec.json.encode(self.job(request)).decode()
        # -P: the child's folder is the workspace, whose modules must not take the place of ours.
        return Launch(
            argv=(sys.executable, "-P", "-m", "engine.adapters.runner"),
            stdin=job,
            env={"PYTHONPATH": str(_ROOT)},
            state_paths=(request.agent_state,),
            read_paths=(str(_ROOT), sys.prefix, sys.base_prefix),
            output_cap=OUTPUT_CAP,
        )

    def job(self, request: AdapterRequest) -> Job:
        """What the program is told: all that opens the conversation, every time, and what is said now."""
        opening = tuple(part for part in request.prompt.parts if part.kind in OPENING)
        said = tuple(part for part in request.prompt.sent if part.kind not in OPENING)
        if not any(part.text.strip() for part in said):
            raise Refused("there is nothing to say to the model", "give it a task, or a file to inject")
        if request.model is None:
            raise Refused(f"nothing says which model of {self.name}", "name one")
        return Job(
            api=api_of(self.name, request.service),
            base_url=base_url(self.name, request.service),
            model=request.model,
            workspace=request.workspace,
            folder=request.agent_state,
            system=tuple(_piece(part) for part in opening),
            message=tuple(_piece(part) for part in said),
            key_env=self.key_env,
            tools=tuple(_tools(request.tools)),
            can_read=request.can_read,
            can_write=request.can_write,
            conversation=request.provider_id,
            resume=request.resume,
            fork_of=request.fork_of,
            output_tokens=max(OUTPUT_TOKENS, request.output_limit_tokens),
            idle_s=request.service.idle_s,
            stop_turns=request.stop_turns,
        )

    def reader(self, folder: Path, start: int = 0) -> Reader:
        return ModelReader(folder, start)


class ModelReader:
    """Follows the lines of the program."""

    def __init__(self, folder: Path, start: int) -> None:
        self._folder = folder
        self._tape = Tape(folder / "stdout.log", start)
        self._said: list[str] = []
        """Since the last tool was done."""
        self._tool_done = False
        self._used: Used | None = None
        self._ended: Ended | None = None

    @property
    def usage(self) -> RunUsage | None:
        return self._used.usage if self._used else None

    @property
    def turns(self) -> int:
        return self._used.rounds if self._used else 0

    @property
    def offset(self) -> int:
        return self._tape.offset

    def poll(self) -> Sequence[Progress] | None:
        lines = self._tape.lines()
        return None if lines is None else self._taken(lines)

    def result(self, exit_code: int | None) -> AdapterResult:
        while self.poll() is not None:
            pass
        self._taken([self._tape.last()])
        ended = self._ended
        return AdapterResult(
            text="".join(self._said),
            ok=ended is not None and ended.ok,
            why=ended.why if ended else self._crashed(exit_code),
            usage=self._settled(),
            streamed=ended is None or (self._used is not None and (self._used.partial or self._used.untold > 0)),
            raw_usage=_raw(self._used) if self._used else None,
            resume_refused=ended is not None and ended.resume_refused,
            unavailable=ended is not None and ended.unavailable,
            turns=self.turns,
        )

    def _settled(self) -> RunUsage | None:
        """What was not told is estimated by what was sent, all that the conversation held included."""
        if self._used is None:
            return RunUsage(0, 0, cost_microusd=0) if self._ended else None
        return self._used.usage

    def _taken(self, lines: Sequence[bytes]) -> list[Progress]:
        told: list[Progress] = []
        for raw in lines:
            try:
                line = _decoder.decode(raw)
            except (msgspec.MsgspecError, UnicodeDecodeError):  # cut by the keeper, or never ended
                continue
            if isinstance(line, Used):
                self._used = line
            elif isinstance(line, Ended):
                self._ended = line
            else:
                self._note(line)
                told.append(line)
        return told

    def _note(self, line: Progress) -> None:
        if isinstance(line, ToolDone):
            self._tool_done = True
        elif isinstance(line, Said):
            self._said = [line.text] if self._tool_done else [*self._said, line.text]
            self._tool_done = False

    def _crashed(self, exit_code: int | None) -> str:
        last = last_line(self._folder / "stderr.log")
        how = "ended by a signal" if exit_code is None else f"exited with code {exit_code}"
        return f"it {how} without an answer" + (f": {last}" if last else "")


def _raw(used: Used) -> str:
    """As each request reported it, and whether that is all."""
    told = {"requests": used.raw, "estimated": used.untold, "partial": used.partial}
    return msgspec.json.encode(told).decode()


def api_of(name: str, service: Service) -> Api:
    if name == "openai":
        return "chat" if service.api == "chat" else "responses"
    return "anthropic" if name == "anthropic" else "ollama"


def base_url(name: str, service: Service) -> str:
    """Without a slash at its end; of OpenAI with its version, of the others without, however it was declared."""
    if name == "ollama":
        return (service.base_url or _ollama_host(os.environ.get("OLLAMA_HOST", ""))).rstrip("/")
    declared = (service.base_url or (ANTHROPIC_URL if name == "anthropic" else OPENAI_URL)).rstrip("/")
    if name == "anthropic":
        return declared.removesuffix("/v1")
    return declared if urlsplit(declared).path else declared + "/v1"


def _ollama_host(host: str) -> str:
    """As Ollama's own programs read it: an address, a port, or both."""
    if not host.strip():
        return OLLAMA_URL
    scheme, separator, rest = host.strip().rpartition("://")
    name, colon, port = rest.rstrip("/").rpartition(":")
    if not colon or "]" in port:
        name, port = rest.rstrip("/"), "" if separator else "11434"
    if name in ("", "0.0.0.0", "[::]"):  # where it listens; it is asked at home
        name = "127.0.0.1"
    return f"{scheme or 'http'}://{name}" + (f":{port}" if port else "")


def _piece(part: Part) -> JobPart:
    text = part.text.encode("utf-8", "replace").decode()
    return JobPart(f"--- {part.source} ---\n{text}" if part.kind == "file" else text, part.stable)


def _tools(names: tuple[str, ...] | None) -> list[Tool]:
    """Always in the same order, so that what goes with them stays the same."""
    return [msgspec.convert(name, Tool) for name in TOOLS if name in (names or ())]


ANTHROPIC = ModelAdapter("anthropic", "anthropic", "ANTHROPIC_API_KEY", free=False)
OPENAI = ModelAdapter("openai", "openai", "OPENAI_API_KEY", free=False)
OLLAMA = ModelAdapter("ollama", "ollama", None, free=True)
