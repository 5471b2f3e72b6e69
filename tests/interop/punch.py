"""A peer that punches a hole and knows nothing else: shows which NATs let two such peers meet.

Prints the address that a STUN server sees it at (RFC 8489 section 14.2), reads the address of its peer, and sends
to it and listens for two seconds.
"""

import os
import socket
import sys
import time

STUN = (sys.argv[1], 3478)
COOKIE = 0x2112A442

own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
own.bind(("", 16402))
own.settimeout(0.05)


def mapped():
    request = b"\x00\x01\x00\x00" + COOKIE.to_bytes(4, "big") + os.urandom(12)
    for _ in range(40):
        own.sendto(request, STUN)
        try:
            answer, _ = own.recvfrom(2048)
        except socket.timeout:
            continue
        at = 20
        while at + 4 <= len(answer):
            kind = int.from_bytes(answer[at : at + 2], "big")
            length = int.from_bytes(answer[at + 2 : at + 4], "big")
            if kind == 0x0020:
                port = int.from_bytes(answer[at + 6 : at + 8], "big") ^ (COOKIE >> 16)
                address = int.from_bytes(answer[at + 8 : at + 12], "big") ^ COOKIE
                return socket.inet_ntoa(address.to_bytes(4, "big")), port
            at += 4 + (length + 3) // 4 * 4
    sys.exit("no answer from the STUN server")


print("mapped %s:%d" % mapped(), flush=True)
address, port = sys.stdin.readline().split(":")
peer = (address, int(port))
heard = set()
end = time.monotonic() + 2
while time.monotonic() < end:
    own.sendto(b"punch", peer)
    try:
        data, sender = own.recvfrom(2048)
    except socket.timeout:
        continue
    if data == b"punch":
        heard.add(sender)
for sender in sorted(heard):
    print("heard %s:%d" % sender)
print("done", flush=True)
