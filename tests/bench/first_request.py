"""The first request of a real client in a small repository: how many characters has it, and how many are expected?"""

import subprocess

from engine.contract.launch import AdapterRequest, Part, Prompt, Wanted

MCP = """\
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    tool = {"name": "look_up", "description": "Looks a word up. " * 10, "inputSchema": {"type": "object"}}
    results = {
        "initialize": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                       "serverInfo": {"name": "words", "version": "1"}},
        "tools/list": {"tools": [tool]},
    }
    answer = {"jsonrpc": "2.0", "id": asked["id"], "result": results.get(asked["method"], {})}
    print(json.dumps(answer), flush=True)
"""
"""A server of one tool, as the repository or the operator declares it."""


def measured(adapter, chars_per_token, server, home, env, told):
    """Characters of the first request, and what the adapter expects, our prompt apart. `told`: what differs from run to
    run."""
    folder = home / "run"
    folder.mkdir(exist_ok=True)
    asked = _request(home, folder, told)
    launch = adapter.launch(asked)
    for name, text in launch.files.items():
        (folder / name).write_text(text)
    before = len(server.calls)
    subprocess.run(
        launch.argv,
        env=env | launch.env,
        cwd=home / "work",
        input=launch.stdin.encode(),
        capture_output=True,
        check=True,
    )
    wanted = Wanted(asked.workspace, asked.service, asked.model, asked.tools, asked.keep)
    return server.calls[before].total_chars, adapter.overhead_tokens(wanted) * chars_per_token


def _request(home, folder, told):
    return AdapterRequest(
        prompt=Prompt((Part("task", "task", "hi", 1, "", False),)),
        workspace=str(home / "work"),
        argv=(),
        argv_resume=(),
        provider_id=None,
        resume=False,
        agent_state=str(home / "state"),
        can_write=(),
        output_limit_tokens=400,
        run_folder=str(folder),
        **told,
    )
