"""What dies in the guest comes back; what dies on the host leaves the disk as it was."""

import os
import signal
import unittest

from machine import BACK_WITHIN, Machine, MachineCase, disk_hash, eventually

# As the image has them.
SERVER = "^deskhand serve-child"
SUPERVISOR = "^deskhand serve -- "
XVFB = "^Xvfb :99"
WINDOW_MANAGER = "^openbox "


class Killed(MachineCase):
    def setUp(self):
        # openbox last: with it everything is there.
        eventually(lambda: self.machine.terminal() and self.machine.call("display.info").get("window_manager"), BACK_WITHIN, "the desktop is there")

    def one(self, pattern):
        return int(self.machine.sh(f"pgrep -o -f '{pattern}'")[1])

    def kill(self, pattern):
        killed = self.one(pattern)
        # Later, or the order's own connection would be what ends: a port does not tell its host that the guest's end has gone.
        self.machine.order(f"(setsid sh -c 'sleep 1; kill -KILL {killed}' >/dev/null 2>&1 &)")

        def is_back():
            if not (self.machine.terminal() and self.machine.call("display.info").get("window_manager")):
                return False
            return self.one(pattern) != killed

        _, took = eventually(is_back, BACK_WITHIN, f"{pattern} is back with the whole desktop")
        print(f"    {pattern}: back {took:.1f} s after the order to kill it, which waits 1 s; looking takes some as well", flush=True)
        self.assertEqual(self.machine.sh("echo after it"), (0, "after it"))

    def test_the_display(self):
        epoch = self.machine.call("display.info")["epoch"]
        self.kill(XVFB)
        self.assertEqual(self.machine.call("display.info")["epoch"], epoch + 1)

    def test_the_window_manager(self):
        self.kill(WINDOW_MANAGER)

    def test_deskhands_server(self):
        self.kill(SERVER)

    def test_deskhands_supervisor(self):
        self.kill(SUPERVISOR)

    def test_the_first_process_of_the_desktop_cannot_be_killed(self):
        self.machine.sh("kill -KILL 1")
        self.assertEqual(self.machine.sh("cat /proc/1/comm"), (0, "s6-svscan"))


class KilledHost(unittest.TestCase):
    def test_kill_of_qemu_leaves_the_disk_as_it_was(self):
        before = disk_hash()
        machine = Machine()
        try:
            machine.wait_for_terminal()
            self.assertEqual(machine.sh("head -c 50000000 /dev/zero > /workspace/much; stat -c %s /workspace/much"), (0, "50000000"))
            os.kill(machine.qemu(), signal.SIGKILL)
            status = machine.runner.wait(30)
            said = machine.said()
        finally:
            _, left = machine.end()
        self.assertNotEqual(status, 0)
        self.assertIn("the machine has ended", said)
        self.assertNotIn("control", left)
        self.assertEqual(disk_hash(), before)


if __name__ == "__main__":
    unittest.main()
