"""Where are the real clients, and in which environment do they run so that they reach nothing but the model server?

The clients are pinned in `tests/clients` and installed there by `make clients`.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from tests.modelserver.server import ModelServer

Client = Literal["claude", "codex", "claude-agent-acp"]
BIN = Path(__file__).resolve().parents[1] / "clients" / "node_modules" / ".bin"
DUMMY_KEY = "sk-dummy"
PROVIDER = "mock"
CODEX_KEY_NAME = "MOCK_KEY"
CLAUDE_OPT_OUTS = {
    "CLAUDE_CODE_DISABLE_FEATURE_FLAGS": "1",
    "CLAUDE_CODE_DISABLE_FEEDBACK_SURVEY": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_BUG_COMMAND": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_FEEDBACK_COMMAND": "1",
    "DISABLE_GROWTHBOOK": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_UPDATES": "1",
    "ENABLE_CLAUDEAI_MCP_SERVERS": "false",
}
CODEX_CONFIG = """\
model = "gpt-6.1-sol"
model_provider = "{provider}"
check_for_update_on_startup = false

[model_providers.{provider}]
name = "{provider}"
base_url = "{url}/v1"
env_key = "{key_name}"
wire_api = "responses"
request_max_retries = 1
stream_max_retries = 1
stream_idle_timeout_ms = 3000

[analytics]
enabled = false

[feedback]
enabled = false

[features]
plugins = false
"""
REFUSED_PORT = 2
"""No service has it, no free port is ever picked below 1024, and no client's list of forbidden ports names it."""


def client(name: Client) -> Path:
    """The installed client; the test is skipped where it is not there."""
    path = BIN / name
    if not path.exists():
        pytest.skip(f"{name} is not installed: run `make clients` (needs npm and a package registry)")
    return path


def refused_url() -> str:
    """Like `server.url`, but nobody listens there."""
    return f"http://127.0.0.1:{REFUSED_PORT}"


def clean_env(home: Path, path_to_bin: Path, server: "ModelServer | str", client: Client) -> dict[str, str]:
    """The whole environment for a client: this HOME, dummy keys, nothing sent home. A server may be given by its URL.

    TMPDIR lies beside the client's own folder: Codex refuses to work in one below the temporary folder.
    """
    url = server if isinstance(server, str) else server.url
    scratch = home / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    env = {
        "HOME": str(home),
        "PATH": f"{path_to_bin}{os.pathsep}{os.environ['PATH']}",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "TERM": "xterm-256color",
        "TMPDIR": str(scratch),
        "NO_PROXY": "127.0.0.1,localhost",
    }
    if "LD_LIBRARY_PATH" in os.environ:
        env["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    return env | (_codex(home, url) if client == "codex" else _claude(url))


def _claude(url: str) -> dict[str, str]:
    return {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": DUMMY_KEY,
        "CLAUDE_CODE_MAX_RETRIES": "2",
        **CLAUDE_OPT_OUTS,
    }


def _codex(home: Path, url: str) -> dict[str, str]:
    folder = home / ".codex"
    folder.mkdir(parents=True, exist_ok=True)
    text = CODEX_CONFIG.format(provider=PROVIDER, url=url, key_name=CODEX_KEY_NAME)
    (folder / "config.toml").write_text(text)
    return {"CODEX_HOME": str(folder), CODEX_KEY_NAME: DUMMY_KEY}
