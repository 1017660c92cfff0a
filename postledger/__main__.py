"""`python -m postledger`."""

from postledger.cli import main

if __name__ == "__main__":
    main()
