"""The server's log: lines of JSON on stderr."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any


def log_line(**facts: Any) -> None:
    """Write one line, at once."""
    line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **facts}
    sys.stderr.write(json.dumps(line) + "\n")
    sys.stderr.flush()
