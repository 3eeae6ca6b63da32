"""Three network namespaces: applications without a route, the proxy with a leg on either side, and an Internet of our own.

    applications 10.200.0.2 ── 10.200.0.1 proxy 203.0.113.2 ── 203.0.113.1 Internet

Nothing of it has a way to the machine's own network. The namespaces belong to processes that die with this one, however it
ends, and the kernel takes the namespaces and their interfaces down with them.
"""

from __future__ import annotations

import ctypes
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from typing import Callable

from . import places

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
APPLICATIONS, PROXY_INSIDE, PROXY_OUTSIDE = "10.200.0.2", "10.200.0.1", "203.0.113.2"
PROXY_OUTSIDE_V6 = "2001:db8::2"
PROXY_PORT = 3128
# Squid and the resolver are there within a second; a busy machine gets more.
READY_S = 30
libc = ctypes.CDLL(None, use_errno=True)


class LabFailed(Exception):
    pass


def checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise LabFailed(f"{what}: {os.strerror(number)}")


def dies_with_parent() -> None:
    checked(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")


class Namespace:
    """A network namespace, kept by a process that does nothing."""

    def __init__(self, name: str) -> None:
        self.name = name
        ready, told = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                dies_with_parent()
                checked(libc.unshare(CLONE_NEWNET), "unshare")
                os.write(told, b"1")
                while True:
                    signal.pause()
            finally:
                os._exit(1)
        os.close(told)
        with os.fdopen(ready, "rb") as pipe:
            if not pipe.read(1):
                raise LabFailed(f"the namespace for {name} cannot be made: this needs root (CAP_SYS_ADMIN)")
        self.descriptor = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.run("ip", "link", "set", "lo", "up")

    def enter(self) -> None:
        checked(libc.setns(self.descriptor, CLONE_NEWNET), "setns")

    def run(self, *command: str) -> None:
        done = subprocess.run(command, preexec_fn=self.enter, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabFailed(f"{' '.join(command)}: {done.stderr.strip()}")

    def write(self, path: str, value: str) -> None:
        self.run("sh", "-c", f"echo {value} >{path}")

    def start(self, command: list[str], **more) -> subprocess.Popen:
        def prepare() -> None:
            dies_with_parent()
            self.enter()

        return subprocess.Popen(command, preexec_fn=prepare, **more)

    def close(self) -> None:
        os.close(self.descriptor)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


class Lab:
    def __init__(self, source: pathlib.Path, settings: dict[str, str] | None = None, open_network: bool = False) -> None:
        self.source, self.settings, self.open_network = source, settings or {}, open_network
        self.namespaces: list[Namespace] = []
        self.processes: list[subprocess.Popen] = []
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="egress-check-"))
        self.closed = False

    def __enter__(self) -> Lab:
        try:
            self.networks()
            self.servers()
            self.start_proxy()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def networks(self) -> None:
        for name in ("applications", "proxy", "internet"):
            self.namespaces.append(Namespace(name))
        self.applications, self.proxy, self.internet = self.namespaces
        self.applications.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "inside", "netns", str(self.proxy.pid))
        self.proxy.run("ip", "link", "add", "outside", "type", "veth", "peer", "name", "eth0", "netns", str(self.internet.pid))
        # Without duplicate address detection IPv6 addresses work at once.
        for namespace, device, *addresses in (
            (self.applications, "eth0", f"{APPLICATIONS}/24"),
            (self.proxy, "inside", f"{PROXY_INSIDE}/24"),
            (self.proxy, "outside", f"{PROXY_OUTSIDE}/24", f"{PROXY_OUTSIDE_V6}/64"),
            (self.internet, "eth0", f"{places.INTERNET}/24", f"{places.INTERNET_V6}/64"),
        ):
            for address in addresses:
                namespace.run("ip", "address", "add", address, "dev", device, *(["nodad"] if ":" in address else []))
            namespace.run("ip", "link", "set", device, "up")
        for address in (places.DNS, places.ALLOWED_ADDRESS, places.EVIL_ADDRESS, places.EVIL_ADDRESS_V6, *places.PRIVATE.values()):
            self.internet.run("ip", "address", "add", f"{address}/{128 if ':' in address else 32}", "dev", "lo")
        self.proxy.run("ip", "route", "add", "default", "via", places.INTERNET)
        self.proxy.run("ip", "-6", "route", "add", "default", "via", places.INTERNET_V6)
        # As in a container, where Docker sets this; the resolver has port 53.
        self.proxy.write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0")
        # The kernel refuses to route 240.0.0.0/4 only where it is told so, so the lab has it.
        if self.open_network:
            self.applications.run("ip", "route", "add", "default", "via", PROXY_INSIDE)
            self.proxy.write("/proc/sys/net/ipv4/ip_forward", "1")
            self.internet.run("ip", "route", "add", "10.200.0.0/24", "via", PROXY_OUTSIDE)
            self.applications.run("ip", "address", "add", "2001:db8:200::2/64", "dev", "eth0", "nodad")
            self.proxy.run("ip", "address", "add", "2001:db8:200::1/64", "dev", "inside", "nodad")
            self.applications.run("ip", "-6", "route", "add", "default", "via", "2001:db8:200::1")
            self.proxy.write("/proc/sys/net/ipv6/conf/all/forwarding", "1")
            self.internet.run("ip", "-6", "route", "add", "2001:db8:200::/64", "via", PROXY_OUTSIDE_V6)

    def servers(self) -> None:
        # Another user reads its list and writes its log in here.
        self.folder.chmod(0o711)
        self.internet_process = self.python(self.internet, "bypass.internet", "--folder", str(self.folder))
        self.wait(lambda: (self.folder / "ready").exists(), "the check's own Internet", self.internet_process)
        own = self.python(self.proxy, "bypass.internet", "--folder", str(self.folder), "--own")
        self.wait(lambda: (self.folder / "own-ready").exists(), "the servers on the proxy's loopback", own)

    def python(self, namespace: Namespace, module: str, *arguments: str) -> subprocess.Popen:
        here = pathlib.Path(__file__).resolve().parent.parent
        process = namespace.start(["/usr/bin/python3", "-B", "-m", module, *arguments], cwd=here)
        self.processes.append(process)
        return process

    def start_proxy(self) -> None:
        """The entrypoint that the container has, as a user without rights."""
        user = pwd.getpwnam("proxy")
        self.run, self.list = self.folder / "run", self.folder / "domains"
        self.run.mkdir()
        os.chown(self.run, user.pw_uid, user.pw_gid)
        self.list.write_text(places.LIST)
        self.log = self.run / "access.log"
        self.said = self.folder / "said"
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "EGRESS_RUN": str(self.run), "EGRESS_LIST": str(self.list), "EGRESS_LOG": str(self.log),
            "EGRESS_RESOLVERS": places.DNS, "EGRESS_LISTEN": str(PROXY_PORT), **self.settings,
        }
        with self.said.open("wb") as said:
            self.entrypoint = self.proxy.start(
                ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all",
                 "--pdeathsig=KILL", "--", str(self.source / "entrypoint")],
                cwd="/", env=environment, stdout=said, stderr=said,
            )
        self.processes.append(self.entrypoint)
        self.wait(self.answers, "the proxy", self.entrypoint)

    def answers(self) -> bool:
        """Whether squid listens and the resolver resolves: a listed page comes."""
        return self.within(self.applications, fetches)

    def within(self, namespace: Namespace, action: Callable[[], bool]) -> bool:
        """Runs something in a namespace, in a child, and says whether it was true."""
        pid = os.fork()
        if pid == 0:
            result = 2
            try:
                dies_with_parent()
                namespace.enter()
                result = 0 if action() else 1
            except BaseException:  # noqa: BLE001 - whatever it was, the child says no
                result = 2
            finally:
                os._exit(result)
        return os.waitpid(pid, 0)[1] == 0

    def wait(self, condition: Callable[[], bool], what: str, process: subprocess.Popen) -> None:
        until = time.monotonic() + READY_S
        while not condition():
            if process.poll() is not None or time.monotonic() > until:
                ended = f"ended with {process.returncode}" if process.returncode is not None else f"is not ready after {READY_S} s"
                said = self.said.read_text(errors="replace")[-2000:] if hasattr(self, "said") and self.said.exists() else ""
                raise LabFailed(f"{what} {ended}\n{said}".rstrip())
            time.sleep(0.05)

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        # Nothing in here has anything to finish.
        for namespace in self.namespaces:
            kill_inside(namespace)
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        for namespace in self.namespaces:
            namespace.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def kill_inside(namespace: Namespace) -> None:
    """Ends what is left in a namespace of ours, but for the process that keeps it."""
    wanted = os.stat(f"/proc/{namespace.pid}/ns/net").st_ino
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) not in (namespace.pid, os.getpid()):
            try:
                if os.stat(f"/proc/{entry}/ns/net").st_ino == wanted:
                    os.kill(int(entry), signal.SIGKILL)
            except OSError:
                continue


def fetches() -> bool:
    try:
        with socket.create_connection((PROXY_INSIDE, PROXY_PORT), 5) as connection:
            connection.sendall(f"GET http://{places.ALLOWED}/ HTTP/1.0\r\n\r\n".encode())
            return b" 200 " in connection.recv(4096)[:20]
    except OSError:
        return False
