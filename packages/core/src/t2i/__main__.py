"""The process `t2i`, which `python -m t2i` also starts."""

from __future__ import annotations

import atexit
import os
import sys
from contextlib import suppress

from t2i.uncollected import uncollected


def program() -> None:
    """Run the command line, then end at once: if torch was imported, Python would spend a second on freeing memory."""
    code = 1

    def end() -> None:
        with suppress(OSError, ValueError):  # nobody reads it any more, or it is closed
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)

    atexit.register(end)  # before everything else that is registered, so it runs last
    with uncollected(all_stays=True):
        from t2i.cli.main import main
    try:
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
        raise


if __name__ == "__main__":
    program()
