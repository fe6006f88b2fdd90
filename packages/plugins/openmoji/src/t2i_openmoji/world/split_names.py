"""The names of openmoji-world's splits, which commands know without opening it."""

SPLITS = (
    *("train", "train-100k", "single", "pairs", "several", "everyday", "everyday-single", "everyday-pairs", "prompts"),
    *("test", "everyday-test", "names", "synonyms", "varied", "everyday-varied"),
)
