"""`qd engine ...`"""

import threading

from engine.contract.clock import iso
from engine.contract.orders import Nothing
from engine.runtime.client import Client
from engine.runtime.engine import run_engine
from state.errors import UsageError
from tui.cli.verb import Context, Output, Verb, local, no_arguments


def _foreground(context: Context) -> Output:
    if threading.current_thread() is not threading.main_thread():
        raise UsageError("qd engine: it is a program of its own", "start it from a shell; this console has an engine")
    run_engine(context.home, stay=True)
    return Output({}, "")


def _status(context: Context) -> Output:
    found = Client(context.home).holder()
    state = {"state_folder": str(context.home.state), "config_file": str(context.home.config_file)}
    if found is None:
        text = f"No engine runs for {context.home.state}. A console starts one by itself; so does any order."
        return Output(state | {"running": False}, text, ok=False)
    data = {"running": True, "pid": found.pid, "version": found.version, "started_at": iso(found.started_ms)}
    text = f"Engine {found.version}, pid {found.pid}, since {local(found.started_ms)}, for {context.home.state}"
    return Output(state | data, text)


def _stop(context: Context) -> Output:
    client = Client(context.home)
    found = client.holder()
    if found is None:
        return Output({"stopped": False}, "No engine runs.")
    client.order("shutdown", Nothing())
    client.wait_gone(found)
    return Output({"stopped": True, "pid": found.pid}, f"The engine (pid {found.pid}) has ended; live runs go on.")


FOREGROUND = Verb(no_arguments, _foreground)
STATUS = Verb(no_arguments, _status)
STOP = Verb(no_arguments, _stop)
