"""Work on many processes and machines: the engine of t2i that is Ray."""
