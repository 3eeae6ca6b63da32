"""The seccomp filter that a process really has, and what it says about a system call.

The kernel hands it to root (PTRACE_SECCOMP_GET_FILTER, kernels with CONFIG_CHECKPOINT_RESTORE). Comparing filters shows what a
profile allows more than another, whatever the engine made of it; trying the calls would show only some.
"""

import ctypes
import os
import pathlib
import re
import struct

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH, PTRACE_SECCOMP_GET_FILTER = 0x4206, 0x4207, 17, 0x420C
SIGSTOP_STOP = 0x7F
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
MASK = 0xFFFFFFFF

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]

Program = list[tuple[int, int, int, int]]


def ptrace(request: int, pid: int, address: int = 0, data: object = None) -> int:
    result = libc.ptrace(request, pid, address, data)
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def filters(pid: int) -> list[Program]:
    """All filters of a process, the newest first. None of them may forbid a call for it to work."""
    ptrace(PTRACE_SEIZE, pid)
    try:
        ptrace(PTRACE_INTERRUPT, pid)
        os.waitpid(pid, 0x40000000)  # __WALL
        found = []
        while True:
            try:
                length = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, len(found), None)
            except OSError:
                return found
            buffer = ctypes.create_string_buffer(8 * length)
            ptrace(PTRACE_SECCOMP_GET_FILTER, pid, len(found), buffer)
            found.append(list(struct.iter_unpack("<HBBI", buffer.raw)))
    finally:
        ptrace(PTRACE_DETACH, pid)


def run(program: Program, number: int, arguments: tuple[int, ...], architecture: int) -> int:
    """What classic BPF returns for this call; only what filters of libseccomp use (seccomp(2), bpf in linux/filter.h)."""
    padded = (*arguments, *([0] * (6 - len(arguments))))
    data = struct.pack("<iIQ6Q", number, architecture, 0, *padded)
    accumulator = index = 0
    place = 0
    while True:
        code, jump_true, jump_false, constant = program[place]
        place += 1
        kind = code & 7
        if code == 0x20:  # load a word
            (accumulator,) = struct.unpack_from("<I", data, constant)
        elif kind == 5:  # jump
            operation, operand = code & 0xF0, index if code & 8 else constant
            if operation == 0:
                place += constant
                continue
            holds = {0x10: accumulator == operand, 0x20: accumulator > operand, 0x30: accumulator >= operand, 0x40: bool(accumulator & operand)}[operation]
            place += jump_true if holds else jump_false
        elif code == 0x54:  # and
            accumulator &= constant
        elif code == 0x06:  # return
            return constant
        else:
            raise ValueError(f"instruction {code:#x} is not one that libseccomp makes")


def verdict(programs: list[Program], number: int, *arguments: int, machine: str | None = None) -> int:
    """The strictest of what the filters say: the lowest action (seccomp(2))."""
    architecture = ARCHITECTURE[machine or os.uname().machine]
    return min((run(program, number, arguments, architecture) for program in programs), key=lambda said: said & 0xFFFF0000)


def numbers() -> dict[str, int]:
    """System calls by name, from the headers of the C library."""
    folder = pathlib.Path("/usr/include") / f"{os.uname().machine}-linux-gnu/asm"
    for name in ("unistd_64.h", "unistd.h"):
        found = dict(re.findall(r"^#define __NR_(\w+)\s+(\d+)$", (folder / name).read_text(), re.MULTILINE))
        if not found:
            found = dict(re.findall(r"^#define __NR_(\w+)\s+(\d+)$", pathlib.Path("/usr/include/asm-generic/unistd.h").read_text(), re.MULTILINE))
        if found:
            return {name: int(number) for name, number in found.items()}
    raise OSError(f"no numbers of system calls in {folder}: install linux-libc-dev")
