"""`python -m t2i` runs the command `t2i`."""

from t2i.cli.main import main

if __name__ == "__main__":
    main()
