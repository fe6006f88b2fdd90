"""The version of t2i."""

__version__ = "0.1.0"
