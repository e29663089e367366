"""Ports for programs that must be told one."""

import socket

held = []


def held_port():
    """A port of 127.0.0.1 that nobody else is given: a socket stays bound to it. Programs that set SO_REUSEADDR, as servers do,
    can listen on it; until one does, connections are refused."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(("127.0.0.1", 0))
    held.append(one)
    return one.getsockname()[1]
