"""What a picture shows, checked against its caption by a detector (after GenEval, Ghosh et al. 2023)."""
