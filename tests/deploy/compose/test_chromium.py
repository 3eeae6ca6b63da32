"""Chromium with its own sandbox, by the seccomp profile that we ship; and how much more that profile allows than the engine's."""

import contextlib
import os
import pathlib
import unittest
from collections.abc import Iterator

import seccomp_filter
from strong import CHROMIUM, COMPOSE, IMAGE, Desktop, desktop, run, wait_for

# Flags of clone(2) and unshare(2) that make namespaces.
NAMESPACES = {"user": 0x10000000, "pid": 0x20000000, "net": 0x40000000, "mount": 0x20000, "cgroup": 0x02000000, "uts": 0x04000000, "ipc": 0x08000000}
BROWSER = ("--", "chromium", "--no-first-run", "--user-data-dir=/tmp/home/chromium", "data:text/html,<title>sandboxed</title>")


def root_of(pid: int) -> list[str]:
    """What a process sees as its root folder. Chromium's is the folder of a process in /proc that has ended (ESRCH): nothing."""
    try:
        return os.listdir(f"/proc/{pid}/root")
    except ProcessLookupError:
        if not pathlib.Path(f"/proc/{pid}").exists():
            raise
        return []


@unittest.skipUnless(CHROMIUM, "without an image with Chromium")
class Sandbox(unittest.TestCase):
    def renderer(self, target: Desktop) -> int | None:
        found = [pid for pid, line in target.processes("applications").items() if "--type=renderer" in line]
        return found[0] if found else None

    def test_its_own_sandbox_is_on_with_either_cookie(self) -> None:
        for cookie in ("untrusted", "trusted"):
            with self.subTest(cookie), desktop("--chromium", "--image", CHROMIUM, "--cookie", cookie, *BROWSER) as target:
                renderer = wait_for("a page", 60, lambda target=target: self.renderer(target))
                wait_for("its window", 60, lambda target=target: any("sandboxed" in window["title"] for window in target.call("windows.list")["windows"]))
                lines = target.processes("applications")
                self.assertFalse([line for line in lines.values() if "--no-sandbox" in line])
                browser = next(pid for pid, line in lines.items() if "chromium" in line and "--type=" not in line and not line.startswith(("s6", "/bin/sh", "sh ")))

                def space(pid: int, name: str) -> str:
                    return str(pathlib.Path(f"/proc/{pid}/ns/{name}").readlink())

                # Namespaces of its own, an empty root, and a filter of its own on top of the container's.
                self.assertNotEqual(root_of(browser), [])
                for name in ("user", "pid", "net"):
                    self.assertNotEqual(space(renderer, name), space(browser, name), name)
                self.assertEqual(root_of(renderer), [])
                status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{renderer}/status").read_text().splitlines())
                container = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{browser}/status").read_text().splitlines())
                self.assertGreater(int(status["Seccomp_filters"]), int(container["Seccomp_filters"]))
                self.assertEqual(container["CapEff"], "0" * 16)
                self.assertFalse(target.inspect("applications")["HostConfig"]["CapAdd"])

    def test_without_the_profile_it_does_not_start(self) -> None:
        settings = {"DESKTOP_CHROMIUM": "no"}
        with desktop("--chromium", "--image", CHROMIUM, *BROWSER, settings=settings) as target:
            wait_for("its complaint", 60, lambda: "No usable sandbox" in target.compose("logs", "applications").stdout)
            self.assertIsNone(self.renderer(target))


@contextlib.contextmanager
def sleeper(*flags: str) -> Iterator[int]:
    """A container that does nothing; its first process on the host."""
    container = run("docker", "run", "--detach", "--rm", "--network=none", "--cap-drop=ALL", "--user=71000", "--security-opt=no-new-privileges", *flags, "--entrypoint=sleep", IMAGE, "300").stdout.strip()
    try:
        yield int(run("docker", "inspect", "--format", "{{.State.Pid}}", container).stdout)
    finally:
        run("docker", "rm", "--force", container)


@unittest.skipUnless(os.geteuid() == 0, "only root is shown the filter of another process")
class Profile(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        with sleeper() as pid:
            cls.engines = seccomp_filter.filters(pid)
        with sleeper("--security-opt", f"seccomp={COMPOSE / 'seccomp-chromium.json'}") as pid:
            cls.ours = seccomp_filter.filters(pid)
        cls.numbers = seccomp_filter.numbers()

    def allowed(self, programs: list[seccomp_filter.Program], call: str, *arguments: int) -> bool:
        return seccomp_filter.verdict(programs, self.numbers[call], *arguments) == seccomp_filter.ALLOW

    def test_both_have_a_filter(self) -> None:
        self.assertTrue(self.engines)
        self.assertTrue(self.ours)
        self.assertFalse(self.allowed(self.engines, "mount"))
        self.assertTrue(self.allowed(self.ours, "read"))

    def test_more_than_the_engines_is_what_a_sandbox_is_built_of(self) -> None:
        # With every kind of first argument that our rules or the engine's look at.
        firsts = [0, 1, 2, 8, 10, 16, 40, 0x20000, 0x20008, 0xFFFFFFFF, *NAMESPACES.values()]
        more = {(call, first) for call in self.numbers for first in firsts if self.allowed(self.ours, call, first) and not self.allowed(self.engines, call, first)}
        expected = {("chroot", first) for first in firsts} | {("unshare", NAMESPACES["user"])} | {("clone", NAMESPACES[name]) for name in ("user", "pid", "net")}
        self.assertEqual(more, expected)

    def test_namespaces_that_it_does_not_need_stay_shut(self) -> None:
        user = NAMESPACES["user"]
        for name in ("mount", "cgroup", "uts", "ipc"):
            with self.subTest(name):
                self.assertFalse(self.allowed(self.ours, "clone", NAMESPACES[name] | user))
                self.assertFalse(self.allowed(self.ours, "unshare", NAMESPACES[name] | user))
                self.assertFalse(self.allowed(self.ours, "unshare", NAMESPACES[name]))
        for call in ("setns", "mount", "pivot_root", "bpf", "keyctl", "perf_event_open", "userfaultfd", "io_uring_setup", "open_by_handle_at", "kexec_load", "init_module"):
            with self.subTest(call):
                self.assertFalse(self.allowed(self.ours, call))
        # Told that it is missing, the C library uses clone, whose flags a filter can see.
        self.assertEqual(seccomp_filter.verdict(self.ours, self.numbers["clone3"]), seccomp_filter.ERRNO | 38)


if __name__ == "__main__":
    unittest.main()
