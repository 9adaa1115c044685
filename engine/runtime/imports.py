"""How does a child process find this very package, wherever it is started?"""

import os
from collections.abc import Mapping
from pathlib import Path


def with_import_path(environ: Mapping[str, str]) -> dict[str, str]:
    """The same environment, with the folder that holds this package first on PYTHONPATH."""
    here = str(Path(__file__).resolve().parents[2])
    before = [folder for folder in environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    return dict(environ) | {"PYTHONPATH": os.pathsep.join(dict.fromkeys([here, *before]))}
