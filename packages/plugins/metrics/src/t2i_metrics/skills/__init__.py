"""Compares pictures with their captions by a detector (after GenEval, Ghosh et al. 2023)."""
