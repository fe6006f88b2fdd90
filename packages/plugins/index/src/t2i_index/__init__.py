"""The index of t2i: finds everything drawn and written. All data is in one SQLite file."""
