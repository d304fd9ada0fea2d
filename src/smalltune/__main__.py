"""`python -m smalltune` is `smalltune`."""

from smalltune.cli import main

if __name__ == "__main__":
    main()
