"""What `deploy/qemu/run` and `build` say to whom they are given something wrong, and what they start."""

import os
import pathlib
import shlex
import subprocess
import tempfile
import unittest

from machine import BUILT, ROOT, RUN

BUILD = str(ROOT / "deploy/qemu/build")


def run(*arguments, **options):
    done = subprocess.run([*arguments], capture_output=True, text=True, check=False, timeout=60, **options)
    return done.returncode, done.stdout, done.stderr


class Command(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="deskhand-qemu-")))
        self.socket = str(self.folder / "control")

    def printed(self, *arguments):
        status, said, wrong = run(RUN, "--machine", str(BUILT), "--socket", self.socket, "--print", *arguments)
        self.assertEqual(status, 0, wrong)
        return shlex.split(said)

    def value(self, command, name):
        return command[command.index(name) + 1]

    def test_help(self):
        for program in (RUN, BUILD):
            status, said, _ = run(program, "--help")
            self.assertEqual(status, 0)
            self.assertTrue(said.startswith("usage: deploy/qemu/"), said)

    def test_what_it_starts(self):
        command = self.printed()
        for flag in ("-snapshot", "-nodefaults", "-no-user-config", "-no-reboot"):
            self.assertEqual(command.count(flag), 1, flag)
        self.assertEqual(self.value(command, "-m"), "4096")
        self.assertEqual(self.value(command, "-nic"), "none")
        self.assertEqual(self.value(command, "-monitor"), "none")
        self.assertEqual(self.value(command, "-display"), "none")
        self.assertEqual(self.value(command, "-sandbox"), "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny")
        self.assertNotIn("-netdev", command)
        self.assertIn("--no-new-privs", command)

    def test_the_restricted_network(self):
        command = self.printed("--network", "restricted", "--proxy", "127.0.0.1:3128")
        network = self.value(command, "-netdev")
        self.assertIn(",restrict=on,ipv6=off,guestfwd=tcp:10.0.2.100:3128-cmd:", network)
        self.assertNotIn("hostfwd", network)
        self.assertNotIn("-nic", command)

    def test_what_is_refused(self):
        machine = ("--machine", str(BUILT), "--socket", self.socket)
        for arguments, words in (
            ((), "--socket PATH says where"),
            (("--socket", "/" + "x" * 120), "at most 107"),
            ((*machine, "--memory", "100"), "at least 768 MB; got 100"),
            ((*machine, "--size", "wide"), "WxH, such as 1280x800; got wide"),
            ((*machine, "--size", "1x1 init=/bin/sh"), "WxH, such as"),
            ((*machine, "--network", "open"), "none or restricted; got open"),
            ((*machine, "--network", "restricted"), "needs --proxy HOST:PORT"),
            ((*machine, "--network", "restricted", "--proxy", "a,hostfwd=tcp::1-:1:2"), "needs --proxy HOST:PORT"),
            ((*machine, "--proxy", "127.0.0.1:3128"), "--proxy is for --network restricted"),
            ((*machine, "--accelerator", "magic"), "got magic"),
            ((*machine, "--nonsense"), "usage:"),
        ):
            with self.subTest(arguments):
                status, _, said = run(RUN, *arguments)
                self.assertEqual(status, 2, said)
                self.assertIn(words, said)

    def test_a_machine_that_is_not_built(self):
        status, _, said = run(RUN, "--machine", str(self.folder), "--socket", self.socket)
        self.assertEqual(status, 1)
        self.assertIn("deploy/qemu/build makes it", said)

    def test_a_file_in_the_place_of_the_socket_stays(self):
        pathlib.Path(self.socket).write_text("mine")
        status, _, said = run(RUN, "--machine", str(BUILT), "--socket", self.socket, "--accelerator", "emulation")
        self.assertEqual(status, 1)
        self.assertIn("is no socket", said)
        self.assertEqual(pathlib.Path(self.socket).read_text(), "mine")

    def test_an_image_that_is_not_there(self):
        status, _, said = run(BUILD, "--image", "deskhand-no-such-image", "--output", str(self.folder / "machine"))
        self.assertEqual(status, 1)
        self.assertIn("there is no image deskhand-no-such-image", said)

    def test_kvm_counts_only_when_a_kernel_boots_under_it(self):
        """With a QEMU in PATH that boots nothing, and one whose kernel says that it was reached."""
        for script, expected in (("exec sleep 60", "no kernel boots under /dev/kvm within"), ("echo deskhand-trial reached", "")):
            with self.subTest(script):
                machine, programs = self.folder / f"m{len(script)}", self.folder / f"p{len(script)}"
                machine.mkdir()
                programs.mkdir()
                for file in ("vmlinuz", "initrd", "root.ext4", "deskhand"):
                    (machine / file).symlink_to(BUILT / file)
                fake = programs / "qemu-system-x86_64"
                # Only the trial; the machine itself does not start, which ends the command.
                fake.write_text(f"#!/bin/sh\ncase \"$*\" in *deskhand.trial*) {script} ;; *) echo \"$*\" >&2; exit 9 ;; esac\n")
                fake.chmod(0o755)
                status, said, wrong = run(RUN, "--machine", str(machine), "--socket", self.socket,
                                          env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"})
                self.assertEqual(status, 9, wrong)
                usable = os.access("/dev/kvm", os.R_OK | os.W_OK)
                if expected and usable:
                    self.assertIn(expected, said)
                self.assertIn("-accel tcg" if expected or not usable else "-accel kvm", wrong)


if __name__ == "__main__":
    unittest.main()
