"""Tells of the socket on standard input who its peer is and what it says."""

import socket

inherited = socket.socket(fileno=0)
print(inherited.getpeername()[0], inherited.recv(64).decode().rstrip("\0"))
