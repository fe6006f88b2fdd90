"""The dataset `openmoji-world`: OpenMoji's things in any colour, counted and placed, with captions from a grammar."""
