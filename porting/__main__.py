"""``python -m porting``."""

from porting.cli import main

if __name__ == "__main__":
    main()
