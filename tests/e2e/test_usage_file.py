"""Does what a run makes up (its usage file, its numbers) hurt only what is booked for that run?"""

import json
from contextlib import closing

import pytest

from engine.runtime.lease import holder
from state import spool
from state.database import open_reader
from state.home import Home

BEYOND = 2**64 - 1
HOLD = "while [ ! -e go ]; do sleep 0.05; done"


@pytest.fixture
def shown(desk):
    return lambda number: desk.json("run", "show", str(number))


@pytest.fixture
def home(desk):
    return Home(config=desk.config_file.parent, state=desk.state)


def spend(desk, *lines):
    """A run that tells these lines of its usage."""
    desk.write("told.jsonl", "".join(f"{line}\n" for line in lines))
    return desk.json("spawn", "--", "sh", "-c", "cat told.jsonl >> $QUARTERDECK_USAGE")


def test_a_run_with_a_fifo_for_its_usage_keeps_no_other_from_being_metered(desk, shown, wait_until):
    desk.configure('[limits]\ngrace = "1s"\n[budget.day]\nwindow = "day"\ntokens = 20000\n')
    script = f"rm $QUARTERDECK_USAGE; mkfifo $QUARTERDECK_USAGE; touch made; {HOLD}"
    first = desk.json("spawn", "--detach", "--sandbox", "off", "--", "sh", "-c", script)
    wait_until((desk.workspace / "made").exists, "the fifo is there")
    told = json.dumps({"input_tokens": 90_000})

    second = desk.json("spawn", "--", "sh", "-c", f"echo '{told}' >> $QUARTERDECK_USAGE; sleep 600", code=1)

    assert second["outcome"] == "budget_reached"
    assert shown(first["run"])["outcome"] is None
    (desk.workspace / "go").touch()
    run = wait_until(lambda: (found := shown(first["run"]))["outcome"] and found, "it has ended")
    assert (run["outcome"], run["usage"]) == ("succeeded", None)
    assert run["usage_unread_bytes"] is None


def test_numbers_that_nothing_can_hold_do_not_hurt_the_engine(desk):
    pid = None
    for line in (
        {"input_tokens": 5, "cost_microusd": 10**19},
        {"input_tokens": 10**19, "cost_microusd": 1},
        {"output_tokens": 2**63},
    ):
        run = spend(desk, json.dumps(line))
        assert (run["outcome"], run["usage"]) == ("succeeded", None)
        pid = pid or desk.holder_pid()
    run = spend(desk, *[json.dumps({"input_tokens": 10**9, "cost_microusd": 10**12})] * 2000)
    assert (run["usage"]["input_tokens"], run["usage"]["cost_microusd"]) == (2000 * 10**9, 10**15)
    assert desk.json("usage")["totals"]["cost_microusd"] == 10**15
    assert desk.holder_pid() == pid


def test_a_usage_file_that_is_too_large_says_so(desk):
    script = "echo '{\"input_tokens\": 5}' > $QUARTERDECK_USAGE; truncate -s 70M $QUARTERDECK_USAGE"
    run = desk.json("spawn", "--", "sh", "-c", script)
    assert (run["usage"]["input_tokens"], run["usage_unread_bytes"]) == (5, 6 * 1024 * 1024)
    _, text, _ = desk.run("run", "show", str(run["run"]))
    assert "6,291,456 bytes at the end of its usage file are not read" in text


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("run", {"workspace": "/", "session_id": BEYOND}),
        ("run", {"workspace": "/", "parent_run_id": BEYOND}),
        ("run", {"workspace": "/", "resumes_run_id": 2**63}),
        ("run", {"workspace": "/", "slot_due_ms": 2**63}),
        ("run", {"workspace": "/", "injected_tokens": BEYOND}),
        ("run", {"workspace": "/", "run_tokens": 10**15 + 1}),
        ("run", {"workspace": "/", "run_usd": 1e10}),
        ("run", {"workspace": "/", "timeout_s": 1e300}),
        ("reset", {"session_id": BEYOND, "seen_generation_id": None, "note": ""}),
        ("reset", {"session_id": 1, "seen_generation_id": BEYOND, "note": ""}),
        ("stop", {"run_id": BEYOND}),
        ("stop", {"run_id": 0}),
        ("decide", {"approval_id": BEYOND, "approve": True, "sha256": ""}),
    ],
    ids=str,
)
def test_an_order_with_a_number_that_nothing_can_hold_makes_no_sense(desk, home, wait_until, kind, body):
    desk.configure('[job.keep]\nevery = "1h"\nworkspace = "/"\ninject = ["x"]\n')  # so that its engine stays
    desk.json("cron", "resume", "keep")
    pid = holder(home).pid
    with closing(open_reader(home)) as connection:
        order = spool.put(home, kind, body)
        answer = wait_until(lambda: spool.answer_of(connection, order), "the order is answered")
    said = json.loads(answer.answer)
    assert not answer.ok
    assert f"the order '{kind}' makes no sense: " in said["error"]
    assert holder(home).pid == pid
    assert not list(home.orders.glob("[0-9]*.json")), "the next engine does not find it again"


@pytest.mark.parametrize(
    ("words", "run", "said"),
    [
        (("run", "--session", str(BEYOND)), "", "argument --session: invalid int value"),
        (("spawn", "--task", "x"), str(BEYOND), f"QUARTERDECK_RUN is '{BEYOND}', which is no run"),
    ],
)
def test_a_number_that_nothing_can_hold_is_said_before_anything_is_asked(desk, words, run, said):
    desk.env |= {"QUARTERDECK_RUN": run}
    code, out, err = desk.run(*words)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert desk.holder_pid() is None if desk.state.exists() else True
