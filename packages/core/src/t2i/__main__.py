"""`python -m t2i` is `t2i`."""

from t2i.cli import main

if __name__ == "__main__":
    main()
