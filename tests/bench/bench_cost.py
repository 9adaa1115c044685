"""What does an estimate cost, and how far is it off? A kind of run with 10,000 past runs of 8 responses each."""

import random
import statistics
import time

import pytest

from engine.admission.calibration import fit
from engine.admission.cost import Declared, estimate
from state import history, usage
from state.database import open_writer
from state.history import FirstRequest, PastRun
from state.home import Home
from state.run_usage import provisional_key

RUNS, RESPONSES = 10_000, 8
DECLARED = Declared(overhead_tokens=0, output_tokens=400, turns=1)


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    database = open_writer(Home(config=folder, state=folder))
    chance = random.Random(5)
    with database.transaction(durable=False) as tx:
        tx.execute("INSERT INTO models (name, provider) VALUES ('m', '')")
        for number in range(1, RUNS + 1):
            _run(tx, number, "mute", chance, "estimated", 1)
            _run(tx, RUNS + number, "coder", chance, "per_run", RESPONSES)
    yield database.connection
    database.close()


def _run(tx, number, agent, chance, basis, responses):
    prompt = chance.randrange(200, 4_000)
    tx.execute(
        "INSERT INTO runs (id, agent, adapter, model, lane, trigger, task_type, task, workspace, can_read, can_write,"
        " inject, state, outcome, estimate_tokens, verdict, requested_ms, reused, likely_tokens)"
        " VALUES (?, ?, 'command', 'm', 'main', 'spawn', 'research', 't', '/w', '[]', '[]', '[]', 'settled',"
        " 'succeeded', 1, ?, ?, 0, 70000)",
        (number, agent, "{}" * 500, number),
    )
    tx.execute("INSERT INTO receipts (run_id, parts, tokens, chars) VALUES (?, '[]', ?, 0)", (number, prompt))
    for place in range(responses):
        key = f"{number}/{place}" if basis == "per_run" else provisional_key(number)
        sent = 6_900 + round(1.2 * prompt) + place * 500
        log_id = 1 if basis == "per_run" else None
        row = usage.UsageRow(
            2, key, 1, number, number * 100 + place, 1, sent, 0, 0, None, None, 100, None, usage.BASES.index(basis), 0
        )._replace(log_id=log_id, cost_microusd=sent * 3)
        tx.execute(usage.INSERT, (None, *row))


def _median_ms(ask):
    times = []
    for _ in range(20):
        started = time.perf_counter()
        ask()
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e3


def test_asking_the_past(connection):
    past = history.past_runs(connection, "coder", "research", "m")
    points = history.calibration_points(connection, "m")
    calibration = fit(points)
    asked = {
        "sum of one kind, all runs (baseline)": lambda: connection.execute(
            "SELECT r.id, sum(u.output_tokens) FROM runs r JOIN usage u ON u.run_id = r.id WHERE r.agent = 'coder'"
            " GROUP BY r.id"
        ).fetchall(),
        "past_runs, 50 of 10,000": lambda: history.past_runs(connection, "coder", "research", "m"),
        "past_runs, none of 10,000 real": lambda: history.past_runs(connection, "mute", "research", "m"),
        "past_runs, another model": lambda: history.past_runs(connection, "coder", "research", "n"),
        "calibration_points, 200": lambda: history.calibration_points(connection, "m"),
        "calibration_points, another model": lambda: history.calibration_points(connection, "n"),
        "fit, 200 points": lambda: fit(points),
        "estimate": lambda: estimate(1_000, past, DECLARED, None, calibration),
    }
    _print(asked)
    assert (len(past), len(points)) == (50, 200)


def test_asking_a_past_without_logs(connection):
    connection.execute("UPDATE usage SET log_id = NULL")
    _print({"calibration_points, none of 2,000 told": lambda: history.calibration_points(connection, "m")})
    assert history.calibration_points(connection, "m") == []


def _work(chance):
    """Requests of a run, and the tokens that each adds to the conversation."""
    return [chance.randrange(200, 900) for _ in range(chance.choice((3, 4, 4, 5, 6)))]


KINDS = {"one request": lambda chance: [chance.randrange(300, 900)], "3 to 6 requests": _work}


@pytest.mark.parametrize("kind", KINDS)
def test_how_far_off_an_estimate_is(kind):
    """Beside the plain guess that a run uses what the run before it did."""
    chance = random.Random(9)
    past, errors, plain, covered = [], [], [], 0
    for number in range(400):
        prompt, answers = chance.randrange(200, 6_000), KINDS[kind](chance)
        sent = [6_900 + round(1.2 * prompt) + sum(answers[:place]) for place in range(len(answers))]
        used = sum(sent) + sum(answers)
        if number >= 20:
            calibration = fit([FirstRequest("a", "t", run.prompt_tokens, run.first_input_tokens) for run in past[:50]])
            told = estimate(prompt, past[:50], DECLARED, None, calibration)
            errors.append(abs(used - told.likely_tokens) / used)
            plain.append(abs(used - past[0].used_tokens) / used)
            covered += told.low_tokens <= used <= told.high_tokens
        run = PastRun(number, prompt, used, None, len(answers), sum(answers), sent[0], True, None, True)
        past.insert(0, run)
    p90, plain_p90 = sorted(errors)[int(0.9 * len(errors))], sorted(plain)[int(0.9 * len(plain))]
    print(f"\n  {kind:<16} median error {statistics.median(errors):6.1%}, 90th percentile {p90:6.1%}", end="")
    print(f" (as the run before: {statistics.median(plain):6.1%}, {plain_p90:6.1%});", end="")
    print(f" {covered / len(errors):.0%} between low and high (80% wanted)")


def _print(asked):
    times = {name: _median_ms(ask) for name, ask in asked.items()}
    print()
    for name, took in times.items():
        print(f"  {name:<42} {took:8.2f} ms")
