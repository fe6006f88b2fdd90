"""A world to learn from: OpenMoji's things in any colour, counted and placed, under captions from a grammar."""
