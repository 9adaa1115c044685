"""Does a run get runs of its own from the engine, and nothing else, whatever it leaves there? With real runs."""

import json
import sqlite3
import sys
from contextlib import closing

import pytest

from engine.execution.sandbox import features

HELD = pytest.mark.skipif(features().landlock_abi < 3, reason="this kernel has no Landlock that holds a run")
QD = f"{sys.executable} -m tui"
WAITS = "while [ ! -e go ]; do sleep 0.02; done"
LEAVE = """
import json, os, pathlib, secrets, sqlite3, sys, time
spool = pathlib.Path(os.environ["QUARTERDECK_USAGE"]).parent / "orders"
state, run = spool.parents[2], os.environ["QUARTERDECK_RUN"]

def leave(kind, body, where=spool, raw=None, **changes):
    name = f"{time.time_ns():020d}-{secrets.token_hex(4)}-{run}"
    now = time.time_ns() // 10**6
    order = {"id": name, "kind": kind, "body": body, "created_ms": now, "expires_ms": now + 60_000} | changes
    (where / f".{name}").write_bytes(raw or json.dumps(order).encode())
    (where / f".{name}").rename(where / f"{name}.json")
    return name

def answer(name):
    books = sqlite3.connect(f"file:{state}/quarterdeck.db?mode=ro", uri=True)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        found = books.execute("SELECT ok, answer FROM orders WHERE id = ?", (name,)).fetchone()
        if found:
            return json.loads(found[1]) | {"ok": bool(found[0])}
        time.sleep(0.02)
    raise SystemExit(f"{name} was never answered")

def say(name, what):
    pathlib.Path(name).write_text(json.dumps(what))
"""


@pytest.fixture
def desk(desk):
    desk.write("a.md", "text\n")
    desk.configure('[agent.asker]\nadapter = "command"\nargv = ["true"]\nenv = ["PYTHONPATH", "LD_LIBRARY_PATH"]\n')
    return desk


@pytest.fixture
def inside(desk):
    """What a run of `asker` does as this script says, and what it then said in out.json."""

    def run(script, *words, code=0):
        desk.write("leave.py", LEAVE + script)
        argv = ("--", sys.executable, "leave.py")
        ended = desk.json("run", "--agent", "asker", "--can-write", ".", *words, *argv, code=code)
        said = desk.workspace / "out.json"
        return ended, json.loads(said.read_text()) if said.exists() else None

    return run


def spool_of(desk, run):
    return desk.state / "runs" / str(run) / "orders"


def events(desk):
    with closing(sqlite3.connect(f"file:{desk.state}/quarterdeck.db?mode=ro", uri=True)) as books:
        return [text for (text,) in books.execute("SELECT text FROM events WHERE kind = 'bad_order' ORDER BY id")]


def test_a_run_asks_for_its_child_with_qd_and_sees_its_end(desk):
    script = f"{QD} run --agent digest --inject a.md --json > out.json; {QD} usage > usage.txt"
    first = desk.json("run", "--agent", "asker", "--can-write", ".", "--", "sh", "-c", script)
    child = json.loads((desk.workspace / "out.json").read_text())
    assert (first["outcome"], child["outcome"]) == ("succeeded", "succeeded")
    assert (child["parent"], child["trigger"], child["lane"], child["depth"]) == (first["run"], "spawn", "isolated", 1)
    assert list(spool_of(desk, first["run"]).iterdir()) == []


def test_a_run_ends_its_child_and_no_other(desk, wait_until):
    other = desk.json("spawn", "--detach", "--", "sh", "-c", WAITS)["run"]
    script = (
        f'child=$({QD} spawn --detach --json -- sh -c "{WAITS}" | {sys.executable} -c'
        " \"import json, sys; print(json.load(sys.stdin)['run'])\")\n"
        f"{QD} run stop {other} 2> other.txt\n"
        f"{QD} run stop $child && echo $child > child.txt\n"
    )
    desk.json("run", "--agent", "asker", "--can-write", ".", "--", "sh", "-c", script)
    child = int((desk.workspace / "child.txt").read_text())
    wait_until(lambda: desk.json("run", "show", str(child))["outcome"] == "cancelled", "the child is ended")
    assert "a run may only ask for runs of its own" in (desk.workspace / "other.txt").read_text()
    assert desk.json("run", "show", str(other))["outcome"] is None
    (desk.workspace / "go").touch()


def test_whatever_else_a_run_orders_is_refused(desk, inside):
    desk.configure(
        desk.config_file.read_text() + '[budget.small]\nwindow = "day"\ntokens = 10\nagent = "digest"\naction = "ask"\n'
    )
    mine = desk.json("spawn", "--detach", "--inject", "a.md")["run"]
    assert [one["run"] for one in desk.json("approvals")["approvals"]] == [mine]
    ended, said = inside(
        """
import hashlib
home = {"workspace": os.getcwd(), "agent": "command", "argv": ["true"]}
asked, what = sqlite3.connect(f"file:{state}/quarterdeck.db?mode=ro", uri=True).execute(
    "SELECT id, what FROM approvals").fetchone()
word = {"approval_id": asked, "approve": True, "sha256": hashlib.sha256(what.encode()).hexdigest()}
wanted = {
    "decide": ("decide", word), "shutdown": ("shutdown", {}), "undo": ("undo", {}), "nonsense": ("nonsense", {}),
    "stop": ("stop", {"run_id": 1}), "interrupt": ("interrupt", {"run_id": 1}), "broken": ("run", {"workspace": 1}),
    "off": ("run", home | {"sandbox": "off"}), "allow": ("run", home | {"permissions": "allow"}),
    "attach": ("run", home | {"attach": True}), "session": ("run", home | {"session_id": 1}),
    "away": ("run", home | {"workspace": "/", "can_write": ["."]}),
    "expired": ("run", home), "own": ("run", home | {"parent_run_id": 1, "trigger": "operator"}),
}
names = {name: leave(*one, **({"expires_ms": 1} if name == "expired" else {})) for name, one in wanted.items()}
say("out.json", {name: answer(one) for name, one in names.items()})
"""
    )
    own, looser = said.pop("own"), {name: said.pop(name) for name in ("off", "allow")}
    assert (own["ok"], desk.json("run", "show", str(own["run"]))["parent"]) == (True, ended["run"])
    assert [name for name, one in said.items() if one["ok"]] == []
    assert [name for name, one in said.items() if "may only ask for runs of its own" in one["error"]] == [
        *("decide", "shutdown", "undo", "nonsense", "stop", "interrupt", "attach", "session")
    ]
    refused = {name: desk.json("run", "show", str(one["run"])) for name, one in looser.items()}
    assert {run["outcome"] for run in refused.values()} == {"refused"}
    assert "sandbox = off (by spawn)" in refused["off"]["why"]
    assert "permissions = allow (by spawn)" in refused["allow"]["why"]
    assert all(run["why"].startswith(f"parent: looser than run {ended['run']}") for run in refused.values())
    assert "in that folder alone" in said["away"]["error"]
    assert "expired" in said["expired"]["error"]
    assert [one["run"] for one in desk.json("approvals")["approvals"]] == [mine], "nobody has answered"


@HELD
@pytest.mark.parametrize("read", ["open", "strict"])
def test_a_run_reaches_no_spool_but_its_own(desk, inside, read):
    ended, _ = inside(
        """
own = leave("run", {"workspace": os.getcwd(), "agent": "digest", "inject": ["a.md"]})
tried = []
for place in (state / "orders", state / "previews", state / "consoles", state / "runs" / "1", state / "runs"):
    try:
        leave("shutdown", {}, place)
    except OSError as error:
        tried.append(type(error).__name__)
print(tried, flush=True)
until = time.monotonic() + 30
while (spool / f"{own}.json").exists() and time.monotonic() < until:
    time.sleep(0.02)
""",
        "--read",
        read,
    )
    assert ended["text"].strip() == str(["PermissionError"] * 5)
    assert [run["agent"] for run in desk.json("run", "list")["runs"] if run["parent"] == ended["run"]] == ["digest"]
    assert desk.holder_pid() is not None


def test_a_hostile_spool_harms_nobody_and_each_bad_file_is_said_once(desk, inside):
    ended, said = inside(
        """
os.mkfifo(spool / "fifo.json")
(spool / "link.json").symlink_to(state / "quarterdeck.db")
(spool / "folder" / "in").mkdir(parents=True)
leave("run", {}, raw=b"{")
leave("run", {}, raw=b"x" * 200_000)
leave("run", {}, id="00000000000000000001-00000000")
leave("run", {"task": "\\ud800"})
home = {"workspace": os.getcwd(), "agent": "digest"}
odd = [
    leave("run", home | one) for one in (
        {"inject": ["\\0"]}, {"can_write": ["\\0"]}, {"workspace": "\\0"}, {"model": "\\0/x"},
        {"params": {"\\0": "\\0"}}, {"agent": "command", "argv": ["\\0"]}, {"can_read": ["[" * 3000]},
    )
]
for number in range(120):
    (spool / f"{number}").write_bytes(b"")
last = leave("run", home | {"inject": ["a.md"]})
for many in range(850, 1000, 12):
    name = f"{time.time_ns():020d}-{secrets.token_hex(4)}-{run}"
    body = b'{"a":' + b"[" * many + b"]" * many + b"}"
    head = {"id": name, "kind": "run", "created_ms": 1, "expires_ms": 10**14}
    (spool / f"{name}.json").write_bytes(json.dumps(head).encode()[:-1] + b', "body": ' + body + b"}")
bell, until = os.open(state / "bell", os.O_WRONLY | os.O_NONBLOCK), time.monotonic() + 30
while len(list(spool.iterdir())) > 1 and time.monotonic() < until:
    os.write(bell, b"!")
    time.sleep(0.02)
said = [answer(name) for name in odd]
say("out.json", {"last": answer(last), "odd": said, "left": [path.name for path in spool.iterdir()]})
"""
    )
    assert ended["outcome"] == "succeeded"
    assert said["last"]["ok"]
    assert len(said["odd"]) == 7
    assert said["left"] == ["folder"]
    told = events(desk)
    assert len(told) == len(set(told)) == 20
    assert all(f"what run {ended['run']} left as" in one for one in told)
    assert (desk.state / "quarterdeck.db").exists()
    assert desk.json("spawn", "--inject", "a.md")["outcome"] == "succeeded"


def test_a_run_that_is_refused_again_and_again_fills_no_books(desk, inside):
    ended, said = inside(
        """
home = {"workspace": os.getcwd(), "agent": "digest", "timeout_s": 0, "inject": ["a.md"]}
names = [leave("run", home) for _ in range(70)]
last = answer(names[-1])
say("out.json", [last, answer(leave("run", home | {"timeout_s": 9}))])
"""
    )
    assert [("20 orders of run" in one["error"], one["ok"]) for one in said] == [(True, False)] * 2
    assert len(desk.json("run", "list", "--limit", "100")["runs"]) == 1 + 20
    with closing(sqlite3.connect(f"file:{desk.state}/quarterdeck.db?mode=ro", uri=True)) as books:
        told = books.execute("SELECT count(*) FROM events WHERE text LIKE '20 orders of run%'").fetchone()[0]
        kept = books.execute("SELECT count(*) FROM orders WHERE id LIKE '%-' || ?", (ended["run"],)).fetchone()[0]
    assert (told, kept) == (1, 20 + 20)


def test_what_is_left_in_its_spool_when_a_run_ends_is_dropped(desk, wait_until):
    script = "cd $(dirname $QUARTERDECK_USAGE)/orders; touch .half-written; ls -A"
    run = desk.json("run", "--agent", "asker", "--", "sh", "-c", script)
    assert run["text"].strip() == ".half-written"
    wait_until(lambda: list(spool_of(desk, run["run"]).iterdir()) == [], "its spool is empty")


def test_no_engine_is_started_from_inside_a_run(desk):
    desk.env["QUARTERDECK_RUN"] = "1"
    code, _, err = desk.run("spawn", "--inject", "a.md")
    assert (code, err) == (1, "qd: no engine runs, and a run cannot start one; ask from a shell of your own\n")
    assert desk.holder_pid() is None if desk.state.exists() else True
