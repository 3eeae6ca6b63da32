"""A session in the machine: what is seen, typed, walled off; and a host that vanishes in mid-word."""

import socket
import subprocess
import unittest

from machine import ANSWERED_WITHIN, DESKHAND, MachineCase, Port, eventually, websocket


class Session(MachineCase):
    def test_the_first_answer(self):
        machine = self.machine
        print(f"    first answer {machine.start_time():.1f} s after QEMU's start; processor time until then {self.start_processor_time:.1f} s", flush=True)
        self.assertLess(self.start_processor_time, 90)

    def test_a_screenshot_is_a_real_picture_of_the_terminal(self):
        def shows_it():
            picture = self.machine.picture()
            self.assertEqual((picture.width, picture.height), (1280, 800))
            # The terminal's background, as the image's terminal is started.
            return picture.colours().get(bytes.fromhex("11161c"), 0) > 20_000

        eventually(shows_it, ANSWERED_WITHIN, "the screenshot shows the terminal")

    def test_what_is_typed_arrives(self):
        text = "The quick brown fox: 0123456789 ~!@#%^&*()_+{}|<>?äöü€中"
        status, read = self.machine.sh(f"printf %s '{text}' > /workspace/typed; cat /workspace/typed")
        self.assertEqual((status, read), (0, text))

    def test_only_the_loopback_interface_is_inside(self):
        status, read = self.machine.sh("ls /sys/class/net; cat /sys/class/net/lo/operstate; tail -n +2 /proc/net/route; ls /dev/vda /dev/kvm")
        self.assertEqual(read.splitlines()[:1], ["lo"])
        self.assertNotIn("eth", read)
        self.assertEqual(len(read.splitlines()), 4, read)
        # Up, or what listens on it could not be reached.
        self.assertEqual(self.machine.sh("exec 3<>/dev/udp/127.0.0.1/9 && echo fine")[1], "fine")

    def test_the_application_is_an_ordinary_user_without_capabilities(self):
        _, read = self.machine.sh("id -u; grep -E '^(Cap|NoNew)' /proc/self/status | tr -d '\\t'; ulimit -Sn; ulimit -Hn; ulimit -c; cat /proc/1/comm")
        lines = read.splitlines()
        self.assertEqual(lines[0], "71000")
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertIn(f"{name}:{'0' * 16}", lines)
        self.assertIn("NoNewPrivs:1", lines)
        # Open files, soft and hard; no core files; the entry point is the first process that it sees.
        self.assertEqual(lines[-4:], ["1024", "2048", "0", "s6-svscan"])

    def test_only_the_workspace_and_tmp_can_be_written(self):
        for place in ("/etc", "/usr", "/home", "/var/tmp", "/root", "/run", "/"):
            status, read = self.machine.sh(f"touch {place}/written")
            self.assertNotEqual(status, 0, f"{place} could be written")
            self.assertRegex(read, "Read-only file system|Permission denied")
        self.assertEqual(self.machine.sh("touch /workspace/written /tmp/written && echo fine"), (0, "fine"))
        status, read = self.machine.sh("awk '$2 == \"/\" { print $4 }' /proc/mounts")
        self.assertIn("ro", read.split(","))

    def test_programs_in_the_workspace_do_not_run(self):
        status, read = self.machine.sh("cp /bin/true /workspace/program; /workspace/program")
        self.assertEqual(status, 126, read)

    def test_neither_the_disk_nor_the_port_is_the_applications(self):
        status, read = self.machine.sh("head -c 1 /dev/vda")
        self.assertNotEqual(status, 0)
        self.assertIn("Permission denied", read)
        # The port is the user's, and Deskhand has it.
        status, read = self.machine.sh("exec 3<>$(ls /dev/vport*p*)")
        self.assertNotEqual(status, 0)
        self.assertRegex(read, "busy")

    def test_nobody_has_a_token_for_the_socket_inside(self):
        status, read = self.machine.sh("deskhand call screenshot --socket /tmp/.desktop/deskhand.sock -o /workspace/shot.png")
        self.assertEqual(status, 4, read)

    def test_a_host_that_vanishes_in_mid_message(self):
        for _ in range(3):
            port = Port(self.machine.socket)
            port.call("key_down", text="shift")
            port.call("left_mouse_down")
            held = port.call("status")["held"]
            self.assertEqual(held, {"keys": ["Shift_L"], "buttons": ["left"]})
            # The head of a message of 1,000 bytes, its mask, and a tenth of it.
            port.socket.sendall(b"\x81\xfe\x03\xe8" + b"\0" * 4 + b'{"jsonrpc": "2.0", '.ljust(100))
            port.close()
            status = self.machine.call("status")
            self.assertEqual(status["held"], {"keys": [], "buttons": []})
            self.assertNotEqual(status["lease"]["holder"], "other")
        self.assertEqual(self.machine.sh("echo still here"), (0, "still here"))

    def test_a_host_that_vanishes_before_it_has_begun(self):
        for said in (b"DESKHAND-SYNC 0123", b"\xff" * 5000, b""):
            with socket.socket(socket.AF_UNIX) as host:
                host.connect(str(self.machine.socket))
                host.sendall(said)
            self.assertIn("cursor", self.machine.call("cursor_position"))

    def test_many_hosts_in_quick_succession(self):
        """Each closes before its leaving can have been noticed, and the next is there at once."""
        for _ in range(40):
            with Port(self.machine.socket) as port:
                port.call("ping")

    def test_a_bridge_carries_a_whole_session(self):
        with websocket.Connection([DESKHAND, "connect", "--virtio", str(self.machine.socket)], "0" * 64, limit=ANSWERED_WITHIN) as session:
            begun = session.call("initialize", protocol="deskhand.v1", client={"name": "test", "version": "1"})
            self.assertEqual((begun["display"]["width"], begun["display"]["height"]), (1280, 800))
            self.assertEqual(session.call("mouse_move", coordinate=[11, 22])["cursor"], [11, 22])
        done = subprocess.run([DESKHAND, "health", "--virtio", str(self.machine.socket)], check=False, timeout=ANSWERED_WITHIN)
        self.assertEqual(done.returncode, 0)


if __name__ == "__main__":
    unittest.main()
