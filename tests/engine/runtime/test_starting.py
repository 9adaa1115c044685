"""A run becomes a process: what it gets, what it may touch, and what nobody else ever sees. With real children, held by
whatever this kernel has."""

import asyncio
import os
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from engine.config.load import parse
from engine.context.routing import route
from engine.contract.launch import AdapterRequest, Prompt
from engine.contract.orders import RunRequest
from engine.execution.follow import read_alive, wait_for_end
from engine.execution.remains import KEY
from engine.execution.sandbox import Features, _bwrap, features
from engine.runtime import aftermath, redaction, sandboxing, starting
from engine.runtime.starting import start
from state import runs
from state.errors import Refused
from state.home import Home, prepare

HELD = pytest.mark.skipif(features().landlock_abi < 3, reason="this kernel has no Landlock that holds a run")
NOTHING = Features(0, None, "it is not on the engine's PATH")
ROOT = os.geteuid() == 0
"""Whose programs may look at any memory, whatever Landlock says (CAP_PERFMON)."""
NOBODY = dict.fromkeys(runs.Run.__struct_fields__)
CANARY = "canary-4711-value"


class Desk:
    """A home with an agent `a` that is a command, and its workspace."""

    def __init__(self, folder):
        self.folder = folder
        self.home = Home(config=folder / "home" / ".config" / "quarterdeck", state=folder / "home" / "state")
        prepare(self.home)
        self.workspace = folder / "home" / "work"
        self.workspace.mkdir()
        self.secret = folder / "home" / ".ssh" / "id_ed25519"
        self.secret.parent.mkdir(mode=0o700)
        self.secret.write_text("private")
        self.secret.chmod(0o600)
        self.toml = ""
        self.number = 0

    def start(self, *argv, adapter="command", **asked):
        """The run's folder, once it is handed to its keeper, and what holds it."""
        self.number += 1
        told = f'[agent.a]\nadapter = "{adapter}"\n' + ('argv = ["true"]\n' if adapter == "command" else "")
        config = parse(told + self.toml, self.home.config_file)
        request = RunRequest(workspace=str(self.workspace), agent="a", **asked)
        routed = route(request, config)
        known = {"id": self.number, "agent": "a", "adapter": adapter, "timeout_s": 20.0}
        known |= {"route": msgspec.json.encode(routed).decode(), "request": msgspec.json.encode(request).decode()}
        run = runs.Run(**NOBODY | known | {"workspace": str(self.workspace)})
        wanted = AdapterRequest(
            prompt=Prompt(()),
            workspace=str(self.workspace),
            argv=argv,
            argv_resume=(),
            model=None,
            tools=None,
            provider_id=None,
            resume=False,
            agent_state=str(self.home.agents / adapter),
            can_write=tuple(asked.get("can_write", ())),
            output_limit_tokens=400,
        )
        held = start(self.home, run, wanted, config)
        return self.home.run_folder(run.id), held

    def run(self, *argv, **asked):
        """What it printed, how it ended, and its folder."""
        folder, _ = self.start(*argv, **asked)
        end = asyncio.run(asyncio.wait_for(wait_for_end(folder), 30))
        out, err = ((folder / name).read_text(errors="replace") for name in ("stdout.log", "stderr.log"))
        return out, end, err

    def sh(self, script, **asked):
        return self.run("sh", "-c", script, **asked)


@pytest.fixture
def desk(tmp_path, monkeypatch):
    made = Desk(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return made


@pytest.fixture
def without(monkeypatch):
    """On a kernel that has nothing."""
    monkeypatch.setattr(sandboxing, "features", lambda: NOTHING)


def tried(*paths):
    """A script that says of each path whether it can be written."""
    return "\n".join(f"if (echo x > '{path}') 2>/dev/null; then echo yes; else echo no; fi" for path in paths)


@HELD
def test_a_run_writes_what_it_may_and_nothing_else(desk):
    (desk.workspace / "notes").mkdir()
    (desk.workspace / "one.md").write_text("old")
    (desk.workspace / "other.md").write_text("old")
    inside = ("notes/new.md", "one.md", "$TMPDIR/x", "$QUARTERDECK_USAGE", "/dev/null")
    outside = (
        "other.md",
        "new.md",
        desk.secret,
        "$HOME/x",
        f"/tmp/{CANARY}",
        desk.home.database,
        desk.home.config / "x",
    )
    ours = (f"{desk.home.runs}/1/{name}" for name in ("launch.json", "end.json", "stdout.log", "keeper.json", "new"))
    script = "\n".join(f'if (echo x > "{path}") 2>/dev/null; then echo yes; else echo no; fi'
                       for path in (*inside, *outside, *ours))  # fmt: skip

    out, end, _ = desk.sh(script, can_write=("notes/", "one.md"))

    assert out.split() == ["yes"] * len(inside) + ["no"] * (len(outside) + 5)
    assert end.sandbox.startswith("landlock(")
    assert desk.secret.read_text() == "private"


@HELD
@pytest.mark.parametrize(
    "script",
    [
        "rm other.md",
        "mv other.md notes/",
        "ln other.md notes/",
        "ln -s /etc/passwd here",
        "truncate -s 0 other.md",
        "ln -s ../other.md notes/link; echo x > notes/link",
        "mkdir folder",
        "setsid sh -c 'echo x > other.md'",
        "(cd notes && echo x > ../other.md)",
    ],
)
def test_no_other_way_of_writing_leads_out_of_the_scope(desk, script):
    (desk.workspace / "notes").mkdir()
    (desk.workspace / "other.md").write_text("old")
    _, end, err = desk.sh(script, can_write=("notes/",))
    assert end.outcome == "failed", err
    assert "ermission denied" in err or "cross-device" in err
    assert (desk.workspace / "other.md").read_text() == "old"
    assert sorted(path.name for path in desk.workspace.iterdir()) == ["notes", "other.md"]


@HELD
def test_a_strict_reader_sees_its_workspace_and_not_its_users_files(desk):
    (desk.workspace / "a.md").write_text("hello")
    private = [desk.secret, desk.home.state / "x", "/root/.bashrc", *map(str, [desk.folder / "beside"])]
    for path in (private[1], private[3]):
        Path(path).write_text("private")
    script = "cat a.md; " + "; ".join(f"cat {path} && echo seen" for path in private) + "; ls $HOME && echo seen"
    out, _, err = desk.sh(script, read="strict", can_write=("a.md",))
    assert out == "hello"
    assert err.count("ermission denied") >= len(private)


@HELD
def test_a_strict_reader_with_can_read_sees_only_that(desk):
    for name in ("docs", "other"):
        (desk.workspace / name).mkdir()
        (desk.workspace / name / "a.md").write_text(f"{name}\n")
    out, _, err = desk.sh("cat docs/a.md; cat other/a.md", read="strict", can_read=("docs/",))
    assert out == "docs\n"
    assert "other/a.md: Permission denied" in err


@HELD
@pytest.mark.parametrize("read", ["open", "strict"])
@pytest.mark.parametrize(
    "script",
    [
        "git init -q . && git config user.email a@b && git config user.name a && echo x > f && git add f"
        " && git commit -qm one && git log --oneline | grep one && git status --short",
        "python3 -c \"import json; open('f', 'w').write('x')\"",
        "node -e \"require('fs').writeFileSync('f', require('os').tmpdir()); require('crypto').randomBytes(4)\"",
        "mktemp && sort -o f /etc/hostname && date && getent hosts localhost",
    ],
)
def test_what_agents_use_works_in_a_sandbox(desk, read, script):
    (desk.folder / "home" / ".gitconfig").write_text("[init]\n\tdefaultBranch = main\n")
    _, end, err = desk.sh(script, read=read, can_write=(".",))
    assert (end.outcome, end.sandbox != "") == ("succeeded", True), err


@HELD
@pytest.mark.parametrize("read", ["open", "strict"])
@pytest.mark.parametrize(
    "script",
    [
        "import ssl, json, tempfile, msgspec; tempfile.TemporaryFile(); open('f', 'w').write('x')",
        "import multiprocessing as m; m.Lock(); m.Queue()",
        "import subprocess as s; s.run(['git', '--version'], check=True, stderr=s.STDOUT)",
    ],
)
def test_a_program_of_a_virtual_environment_works_in_a_sandbox(desk, read, script):
    _, end, err = desk.run(sys.executable, "-c", script, read=read, can_write=(".",))
    assert end.outcome == "succeeded", err


@HELD
@pytest.mark.parametrize("read", ["open", "strict"])
def test_the_digest_agent_works_in_a_sandbox(desk, read):
    (desk.workspace / "a.md").write_text("- [ ] one\n")
    (desk.workspace / "notes").mkdir()
    out, end, err = desk.run(adapter="digest", read=read, can_write=("notes/out.md",))
    assert end.outcome == "succeeded", out + err
    assert (desk.workspace / "notes" / "out.md").exists()


@HELD
def test_the_state_of_an_agent_is_its_own_to_write(desk):
    out, _, _ = desk.sh(tried(desk.home.agents / "command" / "kept", desk.home.agents / "other"))
    assert out.split() == ["yes", "no"]


@HELD
@pytest.mark.parametrize("read", ["open", "strict"])
def test_a_run_can_leave_an_order_in_its_own_spool_alone(desk, read):
    os.mkfifo(desk.home.bell)
    (desk.home.run_folder(7) / "orders").mkdir(parents=True)
    others = (desk.home.orders, desk.home.previews, desk.home.consoles, desk.home.run_folder(7) / "orders")
    own = desk.home.run_folder(1) / "orders"
    out, _, _ = desk.sh(tried(own / "new", *(folder / "new" for folder in others), own.parent / "new"), read=read)
    assert out.split() == ["yes"] + ["no"] * 5
    out, _, _ = desk.sh(f"exec 3<> '{desk.home.bell}' && printf ! >&3 && echo rung", read=read)
    assert out.split() == ["rung"]


@HELD
def test_our_own_state_in_a_workspace_stays_out_of_reach(desk):
    desk.workspace = desk.folder / "home"
    (desk.workspace / "beside").mkdir()
    out, _, _ = desk.sh(tried("beside/x", desk.home.database, "state/in-force.toml"), can_write=(".",))
    assert out.split() == ["yes", "no", "no"]


def test_a_sandbox_that_is_off_holds_nothing(desk):
    folder, held = desk.start("sh", "-c", "echo x > free", sandbox="off")
    end = asyncio.run(wait_for_end(folder))
    assert (held, end.sandbox, (desk.workspace / "free").exists()) == ("off", "", True)


def test_without_anything_in_the_kernel_a_run_is_only_advised(desk, without):
    folder, held = desk.start("true")
    end = asyncio.run(wait_for_end(folder))
    assert (held, end.sandbox, end.outcome) == ("advisory", "", "succeeded")


def test_a_run_that_must_be_held_is_not_started_without(desk, without):
    with pytest.raises(Refused, match="neither Landlock nor a bwrap"):
        desk.start("sh", "-c", "echo x > free", sandbox="require")
    assert not (desk.workspace / "free").exists()


@pytest.mark.skipif(_bwrap()[0] is None, reason="there is no bwrap that works here")
@pytest.mark.parametrize("read", ["open", "strict"])
def test_bwrap_holds_a_run_where_landlock_cannot(desk, monkeypatch, read):
    monkeypatch.setattr(sandboxing, "features", lambda: Features(0, *_bwrap()))
    (desk.workspace / "notes").mkdir()
    (desk.workspace / "other.md").write_text("old")
    places = ("notes/x", "$TMPDIR/x", "$QUARTERDECK_USAGE", "other.md", desk.secret, desk.home.database)
    script = "\n".join(f'if (echo x > "{path}") 2>/dev/null; then echo yes; else echo no; fi' for path in places)
    script += f"\ncat {desk.secret}; git --version; node --version; {sys.executable} --version; pwd"
    out, end, err = desk.sh(script, read=read, can_write=("notes/",))
    assert out.split()[:6] == ["yes"] * 3 + ["no"] * 3, err
    assert ("private" in out) is (read == "open")
    assert "git version" in out
    assert out.split()[-1] == str(desk.workspace)
    assert end.outcome == "succeeded"


def test_its_private_folder_is_gone_when_it_is_settled(desk):
    desk.sh("mkdir -p $TMPDIR/a/b && touch $TMPDIR/a/b/c && ln -s / $TMPDIR/root && chmod 0 $TMPDIR/a")
    folder = desk.home.run_folder(1)
    assert (folder / "tmp" / "a").exists()
    aftermath._discard(folder)
    assert not (folder / "tmp").exists()
    assert (folder / "stdout.log").exists()


def grep(folder, text):
    """Files below a folder whose bytes hold this."""
    done = subprocess.run(["grep", "-rlaF", text, str(folder)], capture_output=True, text=True, check=False)
    return {Path(line).name for line in done.stdout.splitlines()}


def test_a_secret_reaches_its_run_and_nothing_else(desk, monkeypatch):
    monkeypatch.setenv("CANARY", CANARY)
    monkeypatch.setenv("PASSED", CANARY + "-passed")
    kept = desk.folder / "key"
    kept.write_text(CANARY + "-file\n")
    kept.chmod(0o600)
    desk.toml = (
        f'env = ["PASSED"]\nsecrets = {{ONE = "env:CANARY", TWO = "file:{kept}", THREE = "cmd:echo $CANARY-cmd",'
        ' QUARTERDECK_RUN = "env:CANARY"}\n'
    )
    (desk.workspace / "go").touch()
    script = "test ${#ONE} = 17 && test ${#TWO} = 22 && test ${#THREE} = 21 && test ${#PASSED} = 24 || exit 3"
    holding = f"{script}; test $QUARTERDECK_RUN = 1 || exit 4; while [ -e go ]; do sleep 0.05; done"
    folder, _ = desk.start("sh", "-c", holding)
    asyncio.run(_child(folder))

    seen = grep(desk.home.state, CANARY)
    lines = [path for path in Path("/proc").glob("[0-9]*/cmdline") if CANARY.encode() in _bytes(path)]
    key = msgspec.json.decode((folder / "launch.json").read_bytes())["env"][KEY].encode()
    holders = [said for path in Path("/proc").glob("[0-9]*/environ") if CANARY.encode() in (said := _bytes(path))]

    desk.toml = ""
    other, _, _ = desk.sh("env" if ROOT else "env; cat /proc/[0-9]*/environ 2>/dev/null")
    (desk.workspace / "go").unlink()
    end = asyncio.run(wait_for_end(folder))
    assert seen == set()
    assert lines == []
    assert holders
    assert all(key in said for said in holders)
    assert CANARY not in other
    assert end.outcome == "succeeded", end
    assert grep(desk.home.state, CANARY) == set()


async def _child(folder):
    """Wait until its program runs."""
    async with asyncio.timeout(10):
        while True:
            alive = read_alive(folder)
            if (
                alive is not None
                and alive.child_pid
                and b"QUARTERDECK_RUN=" in _bytes(Path(f"/proc/{alive.child_pid}/environ"))
            ):
                return
            await asyncio.sleep(0.01)


def _bytes(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_secret_that_cannot_be_looked_up_starts_nothing(desk):
    desk.toml = 'secrets = {ONE = "cmd:exit 3"}\n'
    with pytest.raises(Refused, match="exited with code 3"):
        desk.start("sh", "-c", "touch free")
    assert not desk.home.run_folder(1).exists()


def test_what_a_run_was_handed_is_hidden_in_every_text(desk, monkeypatch):
    monkeypatch.setenv("CANARY", CANARY)
    monkeypatch.setenv("API_TOKEN", "passed-on-token")
    monkeypatch.setenv("EDITOR", "/usr/bin/vi")
    desk.toml = 'env = ["API_TOKEN", "EDITOR"]\nsecrets = {ONE = "env:CANARY"}\n'
    desk.sh("true")
    said = redaction.redacted(f"it is {CANARY}, passed-on-token and /usr/bin/vi")
    assert said == "it is [secret], [secret] and /usr/bin/vi"


def test_the_job_says_what_its_route_and_its_request_say(desk, monkeypatch):
    monkeypatch.setenv("TMPDIR", "/elsewhere")
    desk.toml = 'silence = "7s"\nenv = ["TMPDIR"]\n'
    out, _, _ = desk.sh("echo $TMPDIR $TMP $TEMP", grace_s=2.5)
    folder = desk.home.run_folder(1)
    job = msgspec.json.decode((folder / "launch.json").read_bytes())
    assert (job["silence_s"], job["grace_s"], job["input_open"]) == (7.0, 2.5, False)
    assert out.split() == [str(folder / "tmp")] * 3
    assert stat.S_IMODE((folder / "tmp").stat().st_mode) == 0o700


def test_its_files_are_there_before_it_starts_and_for_nobody_else(desk, monkeypatch):
    made = starting.adapter("command")

    class WithFiles:
        def launch(self, request):
            script = f"cat {request.run_folder}/settings.json"
            launch = made.launch(msgspec.structs.replace(request, argv=("sh", "-c", script)))
            return msgspec.structs.replace(launch, files={"settings.json": '{"a": "ü"}'}, output_cap=4096)

    monkeypatch.setattr(starting, "adapter", lambda name: WithFiles())
    for read in ("open", "strict"):
        out, end, err = desk.run("true", read=read)
        assert (out, end.outcome) == ('{"a": "ü"}', "succeeded"), err
        folder = desk.home.run_folder(desk.number)
        assert stat.S_IMODE((folder / "settings.json").stat().st_mode) == 0o600
        assert msgspec.json.decode((folder / "launch.json").read_bytes())["output_cap"] == 4096


def test_a_run_of_an_older_engine_is_not_started_by_guess(desk):
    run = runs.Run(**NOBODY)
    with pytest.raises(Refused, match="older engine"):
        starting._route(run)
