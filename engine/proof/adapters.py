"""Which adapters can be used here, as the engine sees it: programs and their versions, keys and logins, servers?"""

import contextlib
import os
import shutil
import socket
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
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
from engine.runtime.services import expanded, missing
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
        yield from _server(name, config, around)
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
    path = shutil.which(expanded(declared.program) or program.usual, path=around.environ.get("PATH"))
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
        if program.adapter == "codex" and (variable := env_key(folder)) is not None:
            return _provider_key(folder, variable, users, around)
    return (
        "no key and no login found",
        f"start {program.usual} once and log in, or set key in [adapter.{program.adapter}]",
    )


def env_key(folder: Path) -> str | None:
    """The variable in which the provider that Codex is set to has its key, as its settings say."""
    try:
        tree = tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))
        found = tree["model_providers"][tree["model_provider"]]["env_key"]
    except (OSError, ValueError, LookupError, TypeError):  # no settings, or none that name one
        return None
    return found if isinstance(found, str) and found else None


def _provider_key(folder: Path, variable: str, users: Mapping[str, Agent], around: Surroundings) -> tuple[str, str]:
    """A run sees a variable only where its agent names it."""
    told = f"its key is {variable}, which {folder / 'config.toml'} names"
    why, fix = lacks(f"env:{variable}", around)
    if why:
        return f"{told}: {why}", fix
    blind = [name for name, agent in users.items() if variable not in (*agent.env, *agent.secrets)]
    if not blind:
        return told, ""
    tables = " and ".join(f"[agent.{name}]" for name in blind)
    return f"{told}, and its runs do not see", f'say env = ["{variable}"] in {tables}'


def _server(name: str, config: Config, around: Surroundings) -> Iterator[Finding]:
    """What is missing, each with those whom it hinders; one that says what is there where nothing is."""
    wanted, found = _services(name, config), f"adapter {name}"
    lacking: dict[tuple[str, str], list[_Service]] = {}
    deaf: dict[str, list[_Service]] = {}
    for one in wanted:
        if (trouble := _key_trouble(name, one, around)) != ("", ""):
            lacking.setdefault(trouble, []).append(one)
        elif one.url is not None and not answers(one.url):
            deaf.setdefault(one.url, []).append(one)
    for (why, fix), hindered in lacking.items():
        yield Finding(found, _level(hindered), why + _for(_names(hindered)), fix)
    for url, hindered in deaf.items():
        text = f"{url} does not answer within {ANSWER_S:g} s{_for(_names(hindered))}"
        yield Finding(found, _level(hindered), text, _deaf_fix(name, hindered))
    if not lacking and not deaf:
        urls = dict.fromkeys(one.url for one in wanted)
        said = [f"{url} answers" if url else "the usual server, which is not asked here" for url in urls]
        yield Finding(found, "ok", ", ".join(said) + _key_words(name, wanted, around))


class _Service(Struct, frozen=True):
    """What one agent speaks to; no agent, what one would."""

    agent: str | None
    url: str | None
    """None: the usual server."""
    url_in: str
    """The table that says so."""
    key: str | None
    """The reference; None where nothing names one."""


def _services(name: str, config: Config) -> list[_Service]:
    """Of every agent that this adapter speaks to. What one says of its server and its key is for its own adapter."""
    declared = config.adapter.get(name, AdapterDefaults())
    url = declared.base_url or (OLLAMA_URL if name == "ollama" else None)
    table, found = f"[adapter.{name}]", []
    for key, agent in agents_of(name, config).items():
        own = agent if agent.adapter == name else None
        its_url = own.base_url if own else None
        its_table = f"[agent.{key}]" if its_url else table
        found.append(_Service(key, its_url or url, its_table, (own.key if own else None) or declared.key))
    return found or [_Service(None, url, table, declared.key)]


def _level(hindered: Sequence[_Service]) -> str:
    return "problem" if _names(hindered) else "note"


def _names(services: Sequence[_Service]) -> list[str]:
    return [one.agent for one in services if one.agent is not None]


def _deaf_fix(name: str, hindered: Sequence[_Service]) -> str:
    if name == "ollama" and all(one.url == OLLAMA_URL for one in hindered):
        return "start it: ollama serve"
    return f"start it, or correct base_url in {' and '.join(dict.fromkeys(one.url_in for one in hindered))}"


def _key_trouble(name: str, one: _Service, around: Surroundings) -> tuple[str, str]:
    """Why there is no key for a model over HTTP, and what to do; empty when there is, and where none is needed."""
    usual = adapter(name).key_env
    if usual is None:
        return "", ""
    if one.key is None:
        return lacks(f"env:{usual}", around) if one.url is None else ("", "")
    return lacks(one.key, around)


def _key_words(name: str, wanted: Sequence[_Service], around: Surroundings) -> str:
    usual = adapter(name).key_env
    if usual is None or any(lacks(one.key or f"env:{usual}", around)[0] for one in wanted):
        return ""
    return "; there is a key"


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


def _for(users: Collection[str]) -> str:
    return f", which {', '.join(users)} {'needs' if len(users) == 1 else 'need'}" if users else ""


def _kind(reference: str) -> str:
    """A command may hold what it is to find."""
    return "what a command prints" if reference.startswith("cmd:") else reference


def _expanded(folder: str, environ: Mapping[str, str]) -> Path:
    if folder == "~" or folder.startswith("~/"):
        return Path(environ.get("HOME", os.sep)) / folder[2:]
    return Path(folder)
