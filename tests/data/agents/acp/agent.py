"""An agent whose prompt is its script: a JSON list of steps, done one after the other.

How it starts is told by its arguments: `--start=hang`, `--start=die`, `--start=noise`, `--start=version`,
`--start=error`, `--start=locked`, `--can=load,fork,resume`, `--stumble=once`, `--models`, `--modes`, `--name=...`. What
it is asked, and what it is answered, it writes to the file that `--log=...` names, line by line.
"""

import json
import os
import signal
import subprocess
import sys

OPTIONS = dict(word.removeprefix("--").partition("=")[::2] for word in sys.argv[1:])
CAN = OPTIONS.get("can", "").split(",")
SESSION = "session-1"
calls = 0


def log(what):
    if "log" in OPTIONS:
        with open(OPTIONS["log"], "a") as file:
            file.write(json.dumps(what) + "\n")


def raw(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def send(**message):
    raw(json.dumps({"jsonrpc": "2.0", **message}) + "\n")


def update(**told):
    send(method="session/update", params={"sessionId": SESSION, "update": told})


def receive():
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    message = json.loads(line)
    log(message)
    return message


def say(text, **more):
    update(sessionUpdate="agent_message_chunk", content={"type": "text", "text": text}, **more)


def ask(method, params):
    global calls
    calls += 1
    send(id=f"ours-{calls}", method=method, params={"sessionId": SESSION, **params})
    while (message := receive()).get("id") != f"ours-{calls}":
        pass


def until_cancelled():
    while receive().get("method") != "session/cancel":
        pass


def step(number, name, value):
    """One step; true when it answers the prompt."""
    if name == "say":
        say(value)
    elif name == "update":
        update(**value)
    elif name == "raw":
        raw(value)
    elif name == "endless":
        raw("x" * value)
    elif name == "ask":
        ask(*value)
    elif name == "flood":
        sys.stderr.write("x" * value + "\nthe last of it\n")
        sys.stderr.flush()
    elif name == "many":
        raw("".join(json.dumps({"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": SESSION, "update": {
            "sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "."}}}}) + "\n" for _ in range(value)))
    elif name == "hang":
        until_cancelled()
    elif name == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        say("deaf")
        while True:
            signal.pause()
    elif name == "start":
        quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        started = subprocess.Popen(value["argv"], start_new_session=value.get("apart", False), **quiet)
        if value.get("wait"):
            started.wait()
        else:
            say(str(started.pid))
    elif name == "exit":
        sys.stderr.write("something went wrong inside\n")
        sys.stderr.flush()
        os._exit(value)
    elif name == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif name == "stop":
        send(id=number, result={"stopReason": value} if isinstance(value, str) else value)
        return True
    elif name == "error":
        send(id=number, error=value)
        return True
    return False


def prompt(number, params):
    text = "".join(block["text"] for block in params["prompt"])
    try:
        steps = json.loads(text)
    except ValueError:
        steps = [{"say": text}]
    for one in steps:
        for name, value in one.items():
            if step(number, name, value):
                return
    send(id=number, result={"stopReason": "end_turn"})


def opened():
    result = {"sessionId": SESSION}
    if "models" in OPTIONS:
        result["configOptions"] = [{
            "id": "model", "name": "Model", "category": "model", "type": "select", "currentValue": "small",
            "options": [{"value": "small", "name": "Small"}, {"value": "large", "name": "Large"}],
        }]
    if "modes" in OPTIONS:
        modes = [{"id": "read-only", "name": "Read only"}, {"id": "all", "name": "All"}]
        result["modes"] = {"currentModeId": "all", "availableModes": modes}
    return result


def load(message):
    if OPTIONS.pop("stumble", None):
        send(id=message["id"], error={"code": -32603, "message": "Internal error"})
        return
    if message["params"]["sessionId"] != SESSION:
        send(id=message["id"], error={"code": -32002, "message": "Resource not found"})
        return
    update(sessionUpdate="user_message_chunk", content={"type": "text", "text": "asked before"})
    say("said before")
    update(sessionUpdate="tool_call", toolCallId="old", title="done before", kind="read", status="completed")
    send(id=message["id"], result={})


def start(number):
    way = OPTIONS.get("start")
    if way == "hang":
        while True:
            receive()
    elif way == "die":
        sys.stderr.write("cannot find my settings\n")
        sys.exit(3)
    elif way == "noise":
        raw("Welcome!\n[1, 2]\n{\"id\": [1], \"result\": 1}\n\n")
    elif way == "error":
        send(id=number, error={"code": -32603, "message": "Internal error", "data": {"details": "no settings"}})
        return
    about = {"loadSession": "load" in CAN, "sessionCapabilities": {name: {} for name in CAN if name in ("fork", "resume")}}
    ways = [{"id": "key", "name": "Key", "_meta": {"api-key": {}}}] if "locked" in (way or "") else []
    name = OPTIONS.get("name", "scripted")
    version = 2 if way == "version" else 1
    send(id=number, result={"protocolVersion": version, "agentCapabilities": about, "authMethods": ways,
                            "agentInfo": {"name": name, "version": "7"}})


locked = OPTIONS.get("start") in ("locked", "locked-for-good")
while True:
    message = receive()
    method, number = message.get("method"), message.get("id")
    if method == "initialize":
        start(number)
    elif method == "authenticate":
        locked = OPTIONS["start"] == "locked-for-good"
        send(id=number, result={})
    elif method == "session/new" and locked:
        send(id=number, error={"code": -32000, "message": "Authentication required"})
    elif method in ("session/new", "session/fork"):
        send(id=number, result=opened() | ({"sessionId": "session-2"} if method == "session/fork" else {}))
    elif method == "session/load":
        load(message)
    elif method == "session/prompt":
        prompt(number, message["params"])
    elif number is not None and method is not None:
        send(id=number, result={"configOptions": []} if method == "session/set_config_option" else {})
