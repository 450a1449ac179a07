"""Admission to a front: client addresses, tokens, and limits of connections and of device sockets."""
