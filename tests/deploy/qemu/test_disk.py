"""The guest that goes to the disk itself: whoever is root in it, and past the read-only mount, changes nothing on the host."""

import pathlib
import shlex
import subprocess
import tempfile
import unittest

from machine import BUILT, RUN, STARTED_WITHIN, disk_hash

# Instead of ours; later files of an initramfs replace earlier ones.
INIT = """#!/bin/busybox sh
B=/bin/busybox
$B mount -t proc proc /proc; $B mount -t sysfs sys /sys; $B mount -t devtmpfs dev /dev
for module in /modules/*.ko; do $B insmod $module; done
while [ ! -b /dev/vda ]; do $B usleep 20000; done
$B dd if=/dev/urandom of=/dev/vda bs=65536 count=16 conv=fsync && echo "overwritten" >/dev/console
$B poweroff -f
"""


class Disk(unittest.TestCase):
    def overwrite(self, snapshot):
        """Boots a machine whose init overwrites its disk, and gives the hashes of a copy of the disk before and after."""
        with tempfile.TemporaryDirectory(prefix="deskhand-qemu-") as folder:
            machine = pathlib.Path(folder) / "machine"
            machine.mkdir()
            for file in ("vmlinuz", "deskhand"):
                (machine / file).symlink_to(BUILT / file)
            disk = machine / "root.ext4"
            # What it has does not matter here.
            disk.write_bytes(bytes(4 << 20))
            top = pathlib.Path(folder) / "top"
            top.mkdir()
            (top / "init").write_text(INIT)
            (top / "init").chmod(0o755)
            more = subprocess.run(["cpio", "--create", "--format=newc", "--quiet"], input=b"init\n", cwd=top, capture_output=True, check=True).stdout
            initrd = (BUILT / "initrd").read_bytes()
            # Archives begin at whole words.
            (machine / "initrd").write_bytes(initrd + bytes(-len(initrd) % 4) + more)
            printed = subprocess.run([RUN, "--machine", str(machine), "--socket", f"{folder}/control", "--print"], capture_output=True, text=True, check=True)
            command = shlex.split(printed.stdout)
            if not snapshot:
                command.remove("-snapshot")
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=STARTED_WITHIN)
            self.assertIn("overwritten", done.stdout, done.stderr)
            return disk.read_bytes() != bytes(4 << 20)

    def test_what_root_in_the_guest_writes_is_gone(self):
        before = disk_hash()
        self.assertFalse(self.overwrite(snapshot=True))
        self.assertEqual(disk_hash(), before)

    def test_without_the_flag_it_would_stay(self):
        self.assertTrue(self.overwrite(snapshot=False))


if __name__ == "__main__":
    unittest.main()
