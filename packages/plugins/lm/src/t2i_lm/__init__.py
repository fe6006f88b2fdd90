"""Language models for t2i: they write prompts, widen them, and caption pictures; templates of variations."""
