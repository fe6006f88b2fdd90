"""Language models for t2i: they write prompts, widen them, and caption pictures; templates and boards of variations."""
