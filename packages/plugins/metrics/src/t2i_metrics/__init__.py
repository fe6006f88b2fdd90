"""Evaluators of t2i: every score says how it was made."""
