"""Applications of t2i: pictures for a table of products, an illustrated story, boards of variations with notes."""
