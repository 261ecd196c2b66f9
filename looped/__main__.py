"""`python -m looped`."""

from looped.cli import main

if __name__ == "__main__":
    main()
