"""Asks the services named as ADDRESS on the command line in one of three ways, and prints what it is told."""

import asyncio
import http.client
import socket
import sys

ECHO, HTTP = 7, 80


def name(answer):
    return answer[:16].decode().rstrip("\0")


def sockets(addresses):
    """One UDP socket for all servers of a family, and a TCP connection to each."""
    for family in (socket.AF_INET, socket.AF_INET6):
        mine = [a for a in addresses if (":" in a) == (family == socket.AF_INET6)]
        with socket.socket(family, socket.SOCK_DGRAM) as one:
            one.settimeout(5)
            for address in mine:
                one.sendto(b"hello", (address, ECHO))
            for answer, sender in [one.recvfrom(64) for _ in mine]:
                print("udp", sender[0], name(answer))
        for address in mine:
            with socket.create_connection((address, ECHO), timeout=5) as tcp:
                print("tcp", tcp.getpeername()[0], name(tcp.recv(16)))


def http_client(addresses):
    """Two requests on each connection."""
    for address in addresses:
        connection = http.client.HTTPConnection(address, HTTP, timeout=5)
        for _ in range(2):
            connection.request("GET", "/")
            body = connection.getresponse().read().decode().strip()
            print("http", connection.sock.getpeername()[0], body)


class Answers(asyncio.DatagramProtocol):
    def __init__(self):
        self.first = asyncio.get_running_loop().create_future()

    def datagram_received(self, data, addr):
        self.first.set_result((addr[0], name(data)))


async def asyncio_client(addresses):
    """A stream, and a connected datagram endpoint."""
    for address in addresses:
        reader, writer = await asyncio.open_connection(address, ECHO)
        print("stream", writer.get_extra_info("peername")[0], name(await reader.read(16)))
        writer.close()
        loop = asyncio.get_running_loop()
        transport, answers = await loop.create_datagram_endpoint(Answers, remote_addr=(address, ECHO))
        transport.sendto(b"hello")
        print("datagram", *await asyncio.wait_for(answers.first, 5))
        transport.close()


way, addresses = sys.argv[1], sys.argv[2:]
if way == "asyncio":
    asyncio.run(asyncio_client(addresses))
else:
    {"sockets": sockets, "http": http_client}[way](addresses)
