"""`python -m engine.runtime --config FOLDER --state FOLDER`: the engine that a console starts for itself."""

import argparse
import sys
from pathlib import Path

from engine.runtime.engine import run_engine
from state.errors import QuarterdeckError
from state.home import Home


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m engine.runtime", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    options = parser.parse_args()
    try:
        run_engine(Home(config=options.config, state=options.state), stay=False)
    except QuarterdeckError as error:
        sys.stderr.write(f"{error.line}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
