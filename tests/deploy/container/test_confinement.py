"""What a desktop cannot do: each flag of `deploy/docker/run` as the engine has it, and as a process inside feels it."""

import hashlib
import os
import pathlib
import subprocess
import unittest
import uuid

from desktop import IMAGE, DesktopCase, docker

GIB = 1 << 30
MIB = 1 << 20
# Linux keeps tmpfs sizes in pages.
PAGE = 4096


class Flags(DesktopCase):
    """The guide's flags, as the engine was told them."""

    def test_the_engine_has_every_flag(self):
        inspected = self.desktop.inspect()
        host, configuration = inspected["HostConfig"], inspected["Config"]
        self.assertTrue(host["AutoRemove"])
        self.assertEqual(host["NetworkMode"], "none")
        self.assertTrue(host["ReadonlyRootfs"])
        self.assertEqual(host["CapDrop"], ["ALL"])
        self.assertFalse(host["CapAdd"])
        self.assertFalse(host["Privileged"])
        # Nothing else: so the seccomp profile is Docker's default.
        self.assertEqual(host["SecurityOpt"], ["no-new-privileges"])
        self.assertEqual(host["PidsLimit"], 256)
        self.assertEqual((host["Memory"], host["MemorySwap"]), (2 * GIB, 2 * GIB))
        self.assertEqual(host["NanoCpus"], 1_000_000_000)
        self.assertEqual([(limit["Name"], limit["Soft"], limit["Hard"]) for limit in host["Ulimits"]], [("nofile", 1024, 2048)])
        self.assertIn("/tmp", host["Tmpfs"])
        user = int(configuration["User"].split(":")[0])
        self.assertGreaterEqual(user, 71_000)
        self.assertFalse(host["Devices"])
        # A desktop that writes without end to its standard error fills no disk.
        self.assertEqual(host["LogConfig"], {"Type": "json-file", "Config": {"max-file": "3", "max-size": "10m"}})
        self.assertEqual([mount["Destination"] for mount in inspected["Mounts"]], ["/run/deskhand"])

    def test_no_process_has_privileges(self):
        status, text = self.desktop.sh("cat /proc/[0-9]*/status")
        fields = [line.split(":\t", 1) for line in text.splitlines() if ":\t" in line]
        for name, wanted in {"CapEff": "0" * 16, "CapPrm": "0" * 16, "CapBnd": "0" * 16, "CapInh": "0" * 16, "CapAmb": "0" * 16, "NoNewPrivs": "1"}.items():
            values = {value.strip() for field, value in fields if field == name}
            self.assertEqual(values, {wanted}, name)
        self.assertNotIn("0", {value.strip() for field, value in fields if field == "Seccomp"})
        self.assertNotIn("0", {value.split()[0] for field, value in fields if field == "Uid"})

    def test_there_is_no_network(self):
        self.assertEqual(self.desktop.sh("ls /sys/class/net")[1], "lo")
        self.assertEqual(self.desktop.sh("tail -n +2 /proc/net/route")[1], "")
        # Deskhand itself listens on no TCP port, loopback included: state 0A (net/tcp_states.h).
        _, sockets = self.desktop.sh("cat /proc/net/tcp /proc/net/tcp6")
        self.assertEqual([line for line in sockets.splitlines() if line.split()[3:4] == ["0A"]], [])

    def test_namespaces_and_mounts_are_not_for_it(self):
        for attempt in ["unshare --user true", "unshare --net true", "mount -t tmpfs none /workspace", "chroot / true"]:
            status, text = self.desktop.sh(attempt)
            self.assertNotEqual(status, 0, attempt)


class Writing(DesktopCase):
    """A writable workspace only. As the desktop's user and as the container's root, which has no capabilities either."""

    READ_ONLY = ["/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/opt", "/root", "/run", "/srv", "/usr", "/usr/lib/deskhand",
                 "/usr/local/bin", "/usr/share", "/var", "/var/lib", "/var/log", "/var/tmp"]

    def test_nothing_but_the_workspace_and_tmp_can_be_written(self):
        for user in (None, "0"):
            for folder in self.READ_ONLY:
                if (user, folder) == ("0", "/dev"):
                    # A tmpfs of Docker's, of 64 MB, that root owns; no process of a desktop is root.
                    continue
                status, text = self.desktop.sh(f"touch {folder}/intruder", user=user)
                self.assertNotEqual(status, 0, f"user {user} wrote to {folder}")
                self.assertRegex(text, "Read-only file system|Permission denied", folder)
            for file in ("/etc/passwd", "/usr/local/bin/deskhand", "/usr/lib/deskhand/services/deskhand/run"):
                status, text = self.desktop.sh(f"printf x >>{file}", user=user)
                self.assertNotEqual(status, 0, f"user {user} wrote to {file}")

    def test_there_is_no_other_directory_that_its_user_can_write(self):
        _, text = self.desktop.sh("find / -path /proc -prune -o -type d -writable -print -prune 2>/dev/null")
        # Of the engine's own: shared memory (64 MB, without programs) and message queues, both of this container alone.
        self.assertEqual(set(text.split()), {"/tmp", "/workspace", "/run/deskhand", "/dev/shm", "/dev/mqueue"})

    def test_the_workspace_can_be_written_under_both_names(self):
        self.assertEqual(self.desktop.sh("echo one >/workspace/one && cat /tmp/agent-workspace/one"), (0, "one"))
        self.assertEqual(self.desktop.sh("echo two >/tmp/agent-workspace/two && cat /workspace/two"), (0, "two"))

    def test_whatever_can_be_written_is_of_limited_size_and_runs_nothing(self):
        status, text = self.desktop.sh("cat /proc/self/mountinfo")
        mounts = {}
        for line in text.splitlines():
            fields = line.split()
            mounts[fields[4]] = (set(fields[5].split(",")), line.split(" - ")[1].split())
        self.assertIn("ro", mounts["/"][0])
        for place, size in {"/tmp": 512 * MIB, "/tmp/.desktop": 4 * MIB, "/tmp/.X11-unix": 64 * 1024, "/workspace": 512 * MIB}.items():
            options, (kind, _, super_options) = mounts[place]
            self.assertEqual(kind, "tmpfs", place)
            self.assertLessEqual({"rw", "noexec", "nosuid", "nodev"}, options, place)
            limits = dict(option.split("=") for option in super_options.split(",") if "=" in option)
            self.assertEqual(limits.get("size"), f"{size // 1024}k", place)
            self.assertIn("nr_inodes", limits, place)
        for place in ("/tmp", "/workspace"):
            status, text = self.desktop.sh(f"cp /bin/true {place}/program && {place}/program")
            self.assertNotEqual(status, 0, place)
            self.assertIn("Permission denied", text)

    def test_home_is_the_users_alone_and_in_tmp(self):
        self.assertEqual(self.desktop.sh("echo $HOME; stat -c '%a %u' /tmp/home; id -u")[1].split(),
                         ["/tmp/home", "750", *[self.desktop.inspect()["Config"]["User"].split(":")[0]] * 2])
        self.assertRegex(self.desktop.sh("whoami")[1], r"^desktop\d+$")

    def test_the_directory_of_the_socket_fills_no_disk_of_the_host(self):
        """Applications can write there, being of the same user; so as root it is a small file system of its own."""
        if os.geteuid() != 0:
            self.skipTest("not root: the directory is on a file system of the host")
        self.assertTrue(self.desktop.socket.parent.is_mount())
        status, text = self.desktop.sh("dd if=/dev/zero of=/run/deskhand/fill bs=4k")
        self.assertNotEqual(status, 0)
        self.assertIn("No space left", text)
        size = self.desktop.socket.parent.joinpath("fill").stat().st_size
        self.assertLessEqual(size, 64 * 1024)
        self.desktop.call("ping")
        self.assertEqual(self.desktop.sh("rm /run/deskhand/fill")[0], 0)


class Tokens(DesktopCase):
    """Only a hash enters."""

    def test_the_token_is_nowhere_and_its_hash_is_where_it_was_given(self):
        token, hashed = self.desktop.token, hashlib.sha256(self.desktop.token.encode()).hexdigest()
        # A connection that is in use: the token goes through, and nothing of it stays.
        with self.desktop.connect() as session:
            session.call("ping")
            found = self.where(token)
            self.assertEqual(found, [])
        # The same search finds what is there.
        self.assertTrue([place for place in self.where(hashed) if place.startswith("/proc/")])

    def where(self, text):
        """The files and the processes' environments and arguments that have this text."""
        places = set()
        # The search itself must not carry the text in its own arguments or environment, so it comes from standard input.
        script = "grep -rlsF --exclude-dir=proc --exclude-dir=sys -f - / ; true"
        places |= set(docker("exec", "-i", self.desktop.name, "sh", "-c", script, input=text).split())
        for line in docker("top", self.desktop.name, "-eo", "pid").split()[1:]:
            for name in ("environ", "cmdline"):
                try:
                    content = pathlib.Path("/proc", line, name).read_bytes()
                except OSError:
                    # Gone since, or not for us to read where we are not root.
                    continue
                if text.encode() in content:
                    places.add(f"/proc/{line}/{name}")
        return sorted(places)


class Refusals(unittest.TestCase):
    """What must not start says why, and does not try again for ever."""

    def refused(self, *arguments):
        name = f"deskhand-test-{uuid.uuid4().hex[:12]}"
        self.addCleanup(docker, "rm", "--force", name, check=False)
        command = ["docker", "run", "--rm", "--name", name, "--network=none", "--read-only", "--cap-drop=ALL", *arguments]
        # What is refused is refused at once; what goes on instead is not waited for.
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        return done.stderr

    HASH = ("--env", f"DESKHAND_TOKEN_SHA256={'0' * 64}")

    def test_nobody_could_log_in(self):
        self.assertIn("DESKHAND_TOKEN_SHA256", self.refused("--tmpfs", "/tmp", IMAGE))

    def test_a_token_in_the_guest(self):
        self.assertIn("Give its hash", self.refused("--tmpfs", "/tmp", "--env", "DESKHAND_TOKEN_FILE=/tmp/token", IMAGE))

    def test_root(self):
        self.assertIn("runs as root", self.refused("--tmpfs", "/tmp", "--user", "0", *self.HASH, IMAGE))

    def test_no_place_to_write(self):
        self.assertIn("--tmpfs /tmp", self.refused(*self.HASH, IMAGE))

    def test_no_such_application(self):
        self.assertIn("no program no-such-thing", self.refused("--tmpfs", "/tmp", *self.HASH, IMAGE, "no-such-thing"))

    def test_what_deskhand_itself_refuses_ends_the_container_with_its_status(self):
        wrong = ("--env", "DESKHAND_TOKEN_SHA256=not-a-hash")
        self.assertIn("64", self.refused("--tmpfs", "/tmp", *wrong, IMAGE))


if __name__ == "__main__":
    unittest.main()
