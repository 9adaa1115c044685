"""Which adapters can be used here, as the engine sees it: programs and their versions, keys and logins, servers?"""

import contextlib
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from engine.adapters import claude_code, codex
from engine.adapters.installed import version
from engine.adapters.registry import adapter
from engine.adapters.runner.job import OLLAMA_URL
from engine.config.model import AdapterDefaults, Agent, Config
from engine.context.routing import split_model
from engine.proof.finding import Finding
from engine.runtime.lease import holder
from engine.runtime.services import missing
from state.home import Home

ANSWER_S = 1.0
"""How long a server may take to be there."""


class Program(Struct, frozen=True):
    """A client that an adapter starts."""

    adapter: str
    usual: str
    """Its name on the PATH."""
    measured: str
    """The version that the adapter was checked against."""
    package: str
    home: str
    """Below HOME, where it keeps its settings and its login."""
    login: str
    """The file in it that a login leaves."""


PROGRAMS = (
    Program(
        "claude_code",
        claude_code.PROGRAM,
        claude_code.VERSION,
        "@anthropic-ai/claude-code",
        ".claude",
        ".credentials.json",
    ),
    Program("codex", codex.PROGRAM, codex.VERSION, "@openai/codex", ".codex", "auth.json"),
)
SERVERS = ("anthropic", "openai", "ollama")


class Surroundings(Struct, frozen=True):
    """What the engine is told."""

    environ: dict[str, str]
    whose: str


def surroundings(home: Home, own: Mapping[str, str]) -> Surroundings:
    """The environment of the engine that runs; of this process when none does."""
    found = holder(home)
    if found is not None:
        with contextlib.suppress(OSError):
            pairs = Path(f"/proc/{found.pid}/environ").read_bytes().decode(errors="replace").split("\0")
            told = dict(pair.partition("=")[::2] for pair in pairs if pair)
            return Surroundings(told, "the engine's environment")
    return Surroundings(dict(own), "this environment, which an engine started here gets")


def adapter_findings(config: Config, around: Surroundings) -> Iterator[Finding]:
    """One for each adapter that speaks to something, and one for each program that an agent names."""
    for program in PROGRAMS:
        yield _program(program, config, around)
    for name in SERVERS:
        yield _server(name, config, around)
    yield from _named(config, around)


def agents_of(name: str, config: Config) -> dict[str, Agent]:
    """Declared agents that this adapter speaks to: by themselves, or by their model's name."""
    return {
        key: agent
        for key, agent in config.agent.items()
        if name in (agent.adapter, split_model(agent.model, agent.adapter)[0])
    }


def _program(program: Program, config: Config, around: Surroundings) -> Finding:
    name, users = f"adapter {program.adapter}", agents_of(program.adapter, config)
    declared = config.adapter.get(program.adapter, AdapterDefaults())
    path = shutil.which(declared.program or program.usual, path=around.environ.get("PATH"))
    if path is None:
        level = "problem" if users else "note"
        fix = f"npm install -g {program.package}@{program.measured}, or program = in [adapter.{program.adapter}]"
        return Finding(name, level, f"no program '{declared.program or program.usual}'{_for(users)}", fix)
    found = version(path)
    key, fix = _credentials(program, users, declared, around)
    text = f"{path} {found or 'of an unknown version'}; {key}"
    if found != program.measured:
        other = f"measured on {program.measured}; this is {found}: numbers and resuming are untested"
        return Finding(name, "note", f"{text}; {other}", fix)
    return Finding(name, "note" if fix else "ok", text, fix)


def _credentials(
    program: Program, users: Mapping[str, Agent], declared: AdapterDefaults, around: Surroundings
) -> tuple[str, str]:
    """What it would authenticate with, and what to do when nothing is found; no value is read."""
    for key in dict.fromkeys(filter(None, (declared.key, *(agent.key for agent in users.values())))):
        why, fix = lacks(key, around)
        return (f"its key: {why}", fix) if why else (f"its key is {_kind(key)}", "")
    usual = adapter(program.adapter).key_env
    if usual in around.environ:
        return f"its key is {usual}, from {around.whose}", ""
    homes = dict.fromkeys(agent.home or f"~/{program.home}" for agent in users.values()) or [f"~/{program.home}"]
    for home in homes:
        folder = _expanded(home, around.environ)
        if (folder / program.login).is_file():
            return f"logged in, in {folder}", ""
    return (
        "no key and no login found",
        f"start {program.usual} once and log in, or set key in [adapter.{program.adapter}]",
    )


def _server(name: str, config: Config, around: Surroundings) -> Finding:
    users = agents_of(name, config)
    declared = config.adapter.get(name, AdapterDefaults())
    urls = [agent.base_url or declared.base_url for agent in users.values()] or [declared.base_url]
    trouble = _key_trouble(name, users, declared, around)
    if trouble[0] and any(url is None for url in urls):
        return Finding(f"adapter {name}", "problem" if users else "note", trouble[0] + _for(users), trouble[1])
    usual = OLLAMA_URL if name == "ollama" else None
    told = dict.fromkeys(url or usual for url in urls)
    deaf = [url for url in told if url is not None and not answers(url)]
    if deaf:
        fix = "start it: ollama serve" if name == "ollama" else f"start it, or correct base_url in [adapter.{name}]"
        text = f"{', '.join(deaf)} does not answer within {ANSWER_S:g} s{_for(users)}"
        return Finding(f"adapter {name}", "problem" if users else "note", text, fix)
    said = [f"{url} answers" if url else "the usual server, which is not asked here" for url in told]
    key = "" if trouble[0] or adapter(name).key_env is None else "; there is a key"
    return Finding(f"adapter {name}", "ok", ", ".join(said) + key)


def _key_trouble(
    name: str, users: Mapping[str, Agent], declared: AdapterDefaults, around: Surroundings
) -> tuple[str, str]:
    """Why there is no key for a model over HTTP, and what to do; empty when there is, and where none is needed."""
    usual = adapter(name).key_env
    if usual is None:
        return "", ""
    for reference in [agent.key or declared.key or f"env:{usual}" for agent in users.values()] or [
        declared.key or f"env:{usual}"
    ]:
        why, fix = lacks(reference, around)
        if why:
            return why, fix
    return "", ""


def lacks(reference: str, around: Surroundings) -> tuple[str, str]:
    """What a reference lacks where the engine would look it up, and what to do; empty when nothing."""
    kind, _, rest = reference.partition(":")
    if kind != "env":
        return missing(reference)
    if rest in around.environ:
        return "", ""
    return f"{rest} is not set in {around.whose}", f"set {rest} where the engine starts, or name another key"


def _named(config: Config, around: Surroundings) -> Iterator[Finding]:
    """Agents with a program of their own."""
    for name, agent in config.agent.items():
        if not agent.argv or "{" in agent.argv[0]:
            continue
        path = shutil.which(agent.argv[0], path=around.environ.get("PATH"))
        if path is None and not (_expanded(agent.workspace or ".", around.environ) / agent.argv[0]).is_file():
            fix = "give its full path in argv"
            yield Finding(f"agent {name}", "problem", f"no program '{agent.argv[0]}' on the engine's PATH", fix)
        else:
            yield Finding(f"agent {name}", "ok", path or agent.argv[0])


def answers(url: str) -> bool:
    """Whether somebody listens there; nothing is sent."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        with socket.create_connection((parts.hostname or "", port), ANSWER_S):
            return True
    except (OSError, ValueError):
        return False


def _for(users: Mapping[str, Agent]) -> str:
    return f", which {', '.join(users)} {'needs' if len(users) == 1 else 'need'}" if users else ""


def _kind(reference: str) -> str:
    """A command may hold what it is to find."""
    return "what a command prints" if reference.startswith("cmd:") else reference


def _expanded(folder: str, environ: Mapping[str, str]) -> Path:
    if folder == "~" or folder.startswith("~/"):
        return Path(environ.get("HOME", os.sep)) / folder[2:]
    return Path(folder)
