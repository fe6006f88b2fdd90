"""A working folder with a small artist, and the command line run inside this process."""

from __future__ import annotations

from fakes.command_line import t2i as t2i
from fakes.painter import here as here
