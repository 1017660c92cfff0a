"""`python -m postledger.sink`."""

from postledger.sink.sink import main

main()
