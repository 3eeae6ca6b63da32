"""What dies is back within five seconds; what an application uses up, the application runs out of first."""

import unittest

from desktop import BACK_WITHIN, Desktop, DesktopCase, eventually
from websocket import Refused

# As the image has them: command lines by which `pgrep -f` tells the processes apart.
SUPERVISOR = "^deskhand serve -- "
SERVER = "^deskhand serve-child"
XVFB = "^Xvfb :99"
WINDOW_MANAGER = "^openbox "
APPLICATION = "^xterm "
EVERYTHING = (SUPERVISOR, SERVER, XVFB, WINDOW_MANAGER, APPLICATION)


class Killed(DesktopCase):
    """kill -9 of each process in turn."""

    def setUp(self):
        self.desktop.wait_for_terminal()

    def kill(self, pattern, looks=True):
        """Kills it, and gives when another one of it is there and everything answers."""
        (killed, *_) = self.desktop.processes(pattern)
        others = {other: self.desktop.processes(other) for other in EVERYTHING if other != pattern}
        status, text = self.desktop.sh(f"kill -KILL {killed}")
        self.assertEqual(status, 0, text)

        def is_back():
            # The calls first: they are quicker than a look at the processes.
            if not (self.desktop.terminal() and self.desktop.call("display.info").get("window_manager")):
                return False
            now = self.desktop.processes(pattern)
            return now and killed not in now

        _, took = eventually(is_back, BACK_WITHIN, f"{pattern} is back with the whole desktop")
        print(f"    {pattern}: back after {took:.2f} s", flush=True)
        if looks:
            self.desktop.shell_writes(f"after the end of {killed}")
        return others

    def stays(self, others, *patterns):
        for pattern in patterns:
            self.assertEqual(self.desktop.processes(pattern), others[pattern], f"{pattern} was started again for nothing")

    def test_the_window_manager(self):
        others = self.kill(WINDOW_MANAGER)
        self.stays(others, SUPERVISOR, SERVER, XVFB, APPLICATION)

    def test_the_application(self):
        others = self.kill(APPLICATION)
        self.stays(others, SUPERVISOR, SERVER, XVFB, WINDOW_MANAGER)

    def test_the_display_and_a_session_that_goes_on_has_to_look_again(self):
        with self.desktop.connect() as session:
            epoch = session.call("display.info")["epoch"]
            session.call("screenshot")
            session.call("left_click", coordinate=[300, 200])
            session.call("left_mouse_down")
            others = self.kill(XVFB, looks=False)
            self.stays(others, SUPERVISOR, SERVER)
            self.assertGreater(session.call("display.info")["epoch"], epoch)
            self.assertEqual(session.call("status")["held"], {"keys": [], "buttons": []})
            with self.assertRaises(Refused) as refusal:
                session.call("left_click", coordinate=[300, 200])
            self.assertEqual(refusal.exception.kind, "stale_frame")
            session.call("screenshot")
            session.call("left_click", coordinate=[300, 200])
        self.desktop.shell_writes("on the new display")

    def test_deskhand(self):
        boot = self.boot()
        self.kill(SUPERVISOR)
        self.assertNotEqual(self.boot(), boot)

    def test_the_server_within_deskhand(self):
        boot = self.boot()
        self.kill(SERVER)
        self.assertNotEqual(self.boot(), boot)

    def boot(self):
        with self.desktop.connect() as session:
            return session.call("initialize", protocol="deskhand.v1", client={"name": "test", "version": "1"})["boot"]

    def test_nothing_that_deskhand_started_outlives_it(self):
        """A process that has left its session is nobody's child by then."""
        name = "orphan-of-the-application"
        self.desktop.type_into_terminal(f"(setsid bash -c 'exec -a {name} sleep 1000' &) ; exit\n")
        eventually(lambda: self.desktop.processes(f"^{name}"), 15, "the process runs")
        self.desktop.wait_for_terminal()
        self.kill(SUPERVISOR)
        self.assertEqual(self.desktop.processes(f"^{name}"), [])


class UsedUp(unittest.TestCase):
    """What is scarce runs out for the application."""

    def setUp(self):
        self.desktop = Desktop()
        self.addCleanup(self.desktop.end)
        self.desktop.wait_for_terminal()
        self.ours = {pattern: self.desktop.processes(pattern) for pattern in (SUPERVISOR, SERVER, XVFB)}
        self.assertTrue(all(self.ours.values()), self.ours)

    def still_answers(self):
        """Deskhand and Xvfb are the ones that were there, and give a picture and pings."""
        for pattern, processes in self.ours.items():
            self.assertEqual(self.desktop.processes(pattern), processes, f"{pattern} did not survive")
        self.desktop.call("ping")
        picture = self.desktop.picture()
        self.assertEqual((picture.width, picture.height), (1280, 800))
        self.assertEqual(self.desktop.sh("deskhand health")[0], 0)

    def start_in_terminal(self, script):
        """Has the terminal run a script that says in the workspace that it has begun."""
        status, text = self.desktop.sh(f"cat >/workspace/script <<'END'\n: >/workspace/begun\n{script}\nEND")
        self.assertEqual(status, 0, text)
        self.desktop.type_into_terminal("bash /workspace/script\n")
        eventually(lambda: self.desktop.sh("test -e /workspace/begun")[0] == 0, 15, "the script runs")

    def kill_and_see_it_back(self, pattern):
        (killed, *_) = self.desktop.processes(pattern)
        self.assertEqual(self.desktop.sh(f"kill -KILL {killed}")[0], 0)

        def is_back():
            if not self.desktop.terminal():
                return False
            now = self.desktop.processes(pattern)
            return now and killed not in now

        _, took = eventually(is_back, BACK_WITHIN, f"{pattern} is back")
        print(f"    {pattern}: back after {took:.2f} s", flush=True)

    def test_a_fork_bomb(self):
        # The kernel counts processes by user over all containers, so each desktop has another one.
        neighbour = Desktop()
        self.addCleanup(neighbour.end)
        neighbour.wait_for_terminal()
        users = [desktop.inspect()["Config"]["User"] for desktop in (self.desktop, neighbour)]
        self.assertNotEqual(*users)
        # Processes that stay and multiply, each in a session of its own: no terminal's end ends them.
        self.start_in_terminal("bomb() { while :; do setsid bash /workspace/script & sleep 1; done 2>/dev/null; }; bomb")
        limit = next(int(line.split("=")[1]) for line in self.desktop.inspect()["Config"]["Env"] if line.startswith("DESKTOP_PROCESSES="))

        def tasks():
            return int(self.desktop.sh("ls -d /proc/[0-9]*/task/[0-9]* 2>/dev/null | wc -l")[1])

        eventually(lambda: tasks() >= limit - 10, 30, "the bomb has what it may have")
        for _ in range(5):
            self.assertLess(tasks(), 256 - 16, "nothing is left for Deskhand")
            self.still_answers()
        with self.desktop.connect() as session:
            session.call("screenshot")
        # The neighbour's shell starts processes as it likes.
        neighbour.shell_writes("beside a bomb")
        neighbour.type_into_terminal("(true | true | true && touch /workspace/forked)\n")
        eventually(lambda: neighbour.sh("test -e /workspace/forked")[0] == 0, 15, "the neighbour forks")
        # Who ends Deskhand ends the bomb; and that while the bomb takes what it can get.
        self.kill_and_see_it_back(SUPERVISOR)
        self.assertEqual(self.desktop.processes("^bash /workspace/script"), [])
        self.desktop.shell_writes("after the bomb")

    def test_memory(self):
        # A terminal that keeps what it is given until there is no more.
        self.start_in_terminal("tail /dev/zero; echo $? >/workspace/ended")
        eventually(lambda: self.desktop.read("/workspace/ended") == "137", 60, "the kernel has ended the program")
        self.still_answers()
        self.assertGreater(self.killed_for_memory(), 0)
        self.desktop.shell_writes("after the hog")

    def killed_for_memory(self):
        """How many processes the kernel has ended in this container: of both versions of control groups."""
        text = self.desktop.read("/sys/fs/cgroup/memory/memory.oom_control") or self.desktop.read("/sys/fs/cgroup/memory.events")
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill "))

    def test_who_goes_first_when_memory_is_short(self):
        """What an application draws is in Xvfb's memory; even so the kernel ends the application."""
        for processes in self.ours.values():
            self.assertEqual(self.desktop.read(f"/proc/{processes[0]}/oom_score_adj"), "0")
        (terminal, *_) = self.desktop.processes(APPLICATION)
        self.assertEqual(self.desktop.read(f"/proc/{terminal}/oom_score_adj"), "800")

    def test_a_full_tmp(self):
        self.start_in_terminal("dd if=/dev/zero of=/tmp/fill bs=1M; echo $? >/workspace/ended; "
                               "dd if=/dev/zero of=/tmp/fill2 bs=1k; dd if=/dev/zero of=/tmp/fill3 bs=1; echo done >/workspace/full")
        eventually(lambda: self.desktop.read("/workspace/full") == "done", 60, "/tmp is full")
        self.assertEqual(self.desktop.read("/workspace/ended"), "1")
        self.assertIn("No space left", self.desktop.sh("cp /etc/hostname /tmp/more")[1])
        self.still_answers()
        self.desktop.shell_writes("with a full /tmp")
        # And what starts anew finds what it needs.
        self.kill_and_see_it_back(XVFB)
        self.kill_and_see_it_back(SUPERVISOR)
        self.assertIn("No space left", self.desktop.sh("cp /etc/hostname /tmp/more")[1])
        self.desktop.shell_writes("after a start with a full /tmp")

    def test_a_tmp_without_a_free_name(self):
        self.start_in_terminal("mkdir /tmp/names; cd /tmp/names; seq 100000 | xargs touch; echo done >/workspace/full")
        eventually(lambda: self.desktop.read("/workspace/full") == "done", 60, "/tmp has no name left")
        self.assertIn("No space left", self.desktop.sh("touch /tmp/more")[1])
        self.still_answers()
        self.kill_and_see_it_back(XVFB)
        self.kill_and_see_it_back(SUPERVISOR)
        self.desktop.shell_writes("after a start with no free name in /tmp")

    def test_a_full_workspace(self):
        self.start_in_terminal("dd if=/dev/zero of=/workspace/fill bs=1M; echo $? >/tmp/ended")
        eventually(lambda: self.desktop.read("/tmp/ended") == "1", 60, "the workspace is full")
        self.still_answers()
        self.kill_and_see_it_back(SUPERVISOR)
        self.assertEqual(self.desktop.sh("rm /workspace/fill")[0], 0)
        self.desktop.shell_writes("after the workspace was full")

    def test_files_opened_by_the_application(self):
        self.start_in_terminal("ulimit -n 2048; while command exec {last}</dev/null; do :; done; exec cat")
        (shell,), _ = eventually(lambda: self.desktop.processes("^bash /workspace/script|^cat$"), 15, "the script runs")
        # Up to the last number below the limit.
        eventually(lambda: self.desktop.sh(f"ls /proc/{shell}/fd | sort -n | tail -n 1")[1] == "2047", 30, "all files are open that may be")
        self.assertNotEqual(self.desktop.sh("ulimit -n 2049")[0], 0)
        self.still_answers()


if __name__ == "__main__":
    unittest.main()
