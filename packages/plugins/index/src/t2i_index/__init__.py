"""The index of t2i: everything drawn and written, found again. One SQLite file is the truth."""
