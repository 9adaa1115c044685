"""What of an agent's processes is its own, and is it known when that is gone?"""

import asyncio
import json
import subprocess
import sys

import pytest

from engine.adapters.acp_client.family import Process, family, gone

AGENT = """
import json, subprocess, sys
inner = "import os, subprocess as s; c = s.Popen(['cat']); print(os.getpid(), c.pid, flush=True); c.wait()"
def start(apart):
    made = subprocess.Popen([sys.executable, "-c", inner], stdout=subprocess.PIPE, start_new_session=apart)
    return [int(word) for word in made.stdout.readline().split()]
print(json.dumps([start(False), start(True)]), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def agent():
    """One that has started something for itself, and something in a session of its own; each has a child."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", AGENT], stdin=pipe, stdout=pipe, start_new_session=True) as process:
        yield process
        process.stdin.close()


def test_what_is_in_its_session_is_its_own_and_what_its_tools_run_is_not(agent):
    own, apart = json.loads(agent.stdout.readline())
    found = family(agent.pid)
    assert sorted(process[0] for process in found) == sorted(own)
    assert all(process.is_there for process in found)
    assert not asyncio.run(gone(found, 0.0))
    assert {process[0] for process in family(apart[0])} == {apart[1]}
    agent.stdin.close()
    assert asyncio.run(gone(found, 60.0)), "they read from the input that has ended"


def test_a_later_process_with_the_same_pid_is_another_one(agent):
    own, _ = json.loads(agent.stdout.readline())
    (found,) = (process for process in family(agent.pid) if process[0] == own[0])
    assert not Process((found[0], found[1] + 1)).is_there


def test_of_an_agent_that_is_gone_nothing_is_known():
    ended = subprocess.Popen(["true"])
    assert ended.wait() == 0
    assert family(ended.pid) == ()
    assert asyncio.run(gone((), 0.0))
