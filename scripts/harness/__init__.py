"""What the judges share: a RESP wire (wire.py) and servers to start and end (servers.py). Standard library only."""
