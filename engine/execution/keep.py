"""What runs first in the process of a keeper? Only the way to its rooms: a script is compiled anew at every start."""

import os
import sys

if __name__ == "__main__":
    sys.path.append(__file__.rpartition("/engine/")[0])
    from engine.execution.keeper import main

    main(sys.argv[1])
    os._exit(0)  # All is on disk, and who follows waits for the end of this process.
