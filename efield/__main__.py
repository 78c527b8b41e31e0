"""`python -m efield` is the command `efield`."""

from efield.app.cli import main

if __name__ == "__main__":
    main()
