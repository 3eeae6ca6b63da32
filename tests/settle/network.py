"""A network of the harness's own, with nothing but loopback: Deskhand looks at the TCP sockets of its network, and those of other programs
on the machine would count as the applications'."""

import ctypes
import fcntl
import socket
import struct

CLONE_NEWNET = 0x40000000  # linux/sched.h
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1  # linux/sockios.h, linux/if.h


def leave():
    """Goes into a network of its own with all programs that are started from now on. Returns whether it may; to be called before
    there is a thread."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16xH14x", fcntl.ioctl(asked, SIOCGIFFLAGS, request))[0]
        fcntl.ioctl(asked, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))
    return True
