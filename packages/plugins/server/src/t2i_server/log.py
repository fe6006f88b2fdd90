"""The server's log: lines of JSON on stderr."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

MOST_ERROR = 500


def log_line(**facts: Any) -> None:
    """Write one line, at once."""
    line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **facts}
    sys.stderr.write(json.dumps(line) + "\n")
    sys.stderr.flush()


def error_text(error: Exception) -> str:
    """An error as the log's lines have it: its type and message, cut after MOST_ERROR characters."""
    return f"{type(error).__name__}: {error}"[:MOST_ERROR]
