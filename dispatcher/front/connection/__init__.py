"""One device connection: hello, packets in, turns, packets out."""
