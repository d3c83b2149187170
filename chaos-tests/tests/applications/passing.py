"""Takes sockets out of the one on standard input, and tells of each who its peer is and what it says."""

import socket

messages = socket.socket(fileno=0)
_, passed, _, _ = socket.recv_fds(messages, 1, 4)
for descriptor in passed:
    one = socket.socket(fileno=descriptor)
    one.settimeout(5)
    if one.type == socket.SOCK_DGRAM:
        one.send(b"hello")
    print(one.getpeername()[0], one.recvfrom(64)[0][:16].decode().rstrip("\0"))
