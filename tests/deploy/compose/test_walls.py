"""What stands between the two containers and around them, as the engine and the kernel tell it."""

import pathlib
import unittest

from strong import desktop

SERVICES = ("display", "applications")


class Walls(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.desktop = cls.enterClassContext(desktop())
        cls.desktop.terminal()

    def test_the_engine_was_told_every_limit(self) -> None:
        for service in SERVICES:
            found = self.desktop.inspect(service)
            host = found["HostConfig"]
            with self.subTest(service):
                self.assertTrue(host["ReadonlyRootfs"])
                self.assertEqual(host["CapDrop"], ["ALL"])
                self.assertFalse(host["CapAdd"])
                self.assertFalse(host["Privileged"])
                self.assertIn("no-new-privileges:true", host["SecurityOpt"])
                self.assertEqual(host["NetworkMode"], "none")
                self.assertEqual(host["PidMode"], "")
                self.assertEqual(host["IpcMode"], "private")
                self.assertFalse(host["Devices"])
                self.assertGreater(host["Memory"], 0)
                self.assertEqual(host["Memory"], host["MemorySwap"])
                self.assertGreater(host["NanoCpus"], 0)
                self.assertGreater(host["PidsLimit"], 0)
                self.assertEqual(host["LogConfig"], {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}})
                self.assertFalse(found["NetworkSettings"]["Ports"])
                for options in host["Tmpfs"].values():
                    self.assertRegex(options, r"(^|,)size=\d+m(,|$)")

    def test_they_share_the_socket_and_the_cookie_and_nothing_else(self) -> None:
        mounts = {service: {mount["Source"]: mount for mount in self.desktop.inspect(service)["Mounts"] if mount["Type"] != "tmpfs"} for service in SERVICES}
        shared = set(mounts["display"]) & set(mounts["applications"])
        self.assertEqual({mounts["applications"][source]["Destination"] for source in shared}, {"/tmp/.X11-unix", "/run/cookie"})
        self.assertEqual(set(mounts["applications"]), shared)
        for mount in mounts["applications"].values():
            self.assertFalse(mount["RW"], mount)
            self.assertEqual(mount["Type"], "volume")
            # Of this desktop only, and not the host's.
            self.assertTrue(mount["Name"].startswith(self.desktop.settings["DESKTOP_PROJECT"]), mount)

    def test_audit_and_state_are_on_volumes_with_names(self) -> None:
        volumes = {mount["Destination"]: mount["Name"] for mount in self.desktop.inspect("display")["Mounts"] if mount["Type"] == "volume"}
        project = self.desktop.settings["DESKTOP_PROJECT"]
        self.assertEqual(volumes["/var/lib/deskhand/audit"], f"{project}_audit")
        self.assertEqual(volumes["/var/lib/deskhand/state"], f"{project}_state")
        self.desktop.call("screenshot")
        self.desktop.execute("display", "deskhand", "audit", "verify", "/var/lib/deskhand/audit/audit.jsonl", "--key", "/run/desktop/private/access/audit.key")
        self.assertIn("screenshot", self.desktop.execute("display", "cat", "/var/lib/deskhand/audit/audit.jsonl").stdout)

    def test_the_kernel_has_them_apart(self) -> None:
        pids = {"display": self.desktop.process("display", "deskhand serve --"), "applications": self.desktop.process("applications", "xterm")}
        for space in ("pid", "ipc", "net", "mnt", "uts"):
            with self.subTest(space):
                inodes = {service: pathlib.Path(f"/proc/{pid}/ns/{space}").readlink() for service, pid in pids.items()}
                self.assertEqual(len(set(inodes.values())), 2)
        users = {pathlib.Path(f"/proc/{pid}").stat().st_uid for pid in pids.values()}
        self.assertEqual(users, {int(self.desktop.settings[name]) for name in ("DESKTOP_DISPLAY_UID", "DESKTOP_APPLICATIONS_UID")})

    def test_no_process_has_a_privilege(self) -> None:
        for service in SERVICES:
            for pid, line in self.desktop.processes(service).items():
                status = dict(each.split(":\t", 1) for each in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
                with self.subTest(service, line=line):
                    self.assertEqual({status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}, {"0" * 16})
                    self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))

    def test_nothing_outside_the_given_places_can_be_written(self) -> None:
        places = {"display": {"/tmp", "/run/desktop", "/tmp/.X11-unix", "/run/cookie", "/run/deskhand", "/var/lib/deskhand/audit", "/var/lib/deskhand/state"}, "applications": {"/tmp", "/workspace"}}
        # Of the engine's own making, and on every container: a queue and shared memory, counted against its limits.
        common = {"/dev/shm", "/dev/mqueue"}
        for service in SERVICES:
            said = self.desktop.execute(service, "find", "/", "-xdev", "-writable", "!", "-type", "l", check=False).stdout.split("\n")
            mounted = [line.split()[4] for line in self.desktop.execute(service, "cat", "/proc/self/mountinfo").stdout.splitlines()]
            writable = {mount for mount in mounted if self.desktop.execute(service, "test", "-w", mount, "-a", "-d", mount, check=False).returncode == 0}
            with self.subTest(service):
                self.assertLessEqual({line for line in said if line}, places[service])
                self.assertEqual({mount for mount in writable if not mount.startswith("/proc")} - common, places[service])


if __name__ == "__main__":
    unittest.main()
