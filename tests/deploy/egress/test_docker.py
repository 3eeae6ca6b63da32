"""The image, run as README.md says, on an internal network of Docker's, against an Internet that is a container too.

All traffic stays on two networks without a way out: applications and the proxy, and the proxy and the check's own Internet.
"""

import atexit
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

from support import ROOT, SOURCE, verdicts

from bypass import places

RUN = f"egress-test-{os.getpid()}"
# Containers, networks and the image of this run, and of no other.
INSIDE, OUTSIDE, PROXY, INTERNET, APPLICATION = (f"{RUN}-{what}" for what in ("inside", "outside", "proxy", "internet", "application"))
IMAGE = "deskhand-egress:test"
BASE = "debian:bookworm-slim"
# As in README.md; the test reads them from there, so that what is published is what is tried.
README = (SOURCE / "README.md").read_text()
# Somewhere in the documentation range, and none of the addresses that mean something in the lab.
PROXY_OUTSIDE = "203.0.113.2"
APPLICATION_OUTSIDE = "203.0.113.3"
READY_S = 60


def docker(*arguments: str, check: bool = True, timeout: float = 120) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=timeout)
    if check and done.returncode:
        raise AssertionError(f"docker {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


def hardened() -> list[str]:
    """The flags of README's `docker run`, from --read-only to the last --tmpfs."""
    text = README.split("docker run -d --name egress", 1)[1].split("-v egress-log", 1)[0].replace("\\\n", " ")
    return text.split("--network bridge", 1)[1].split()


def wait(condition, what: str, logs_of: str) -> None:
    until = time.monotonic() + READY_S
    while not condition():
        ended = docker("inspect", "--format", "{{.State.Running}}", logs_of) != "true"
        if ended or time.monotonic() > until:
            logs = subprocess.run(["docker", "logs", logs_of], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
            raise AssertionError(f"{what}{', it has ended' if ended else f' after {READY_S} s'}:\n{logs[-3000:]}")
        time.sleep(0.1)


class InDocker(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(cls.clean)
        # An end from outside leaves out what unittest does at the end of a class.
        atexit.register(cls.clean)
        subprocess.run([str(ROOT / "tests/deploy/base_images"), BASE], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([str(SOURCE / "build"), "--tag", "test"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=1800)
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="egress-docker-"))
        cls.folder.chmod(0o755)
        for name in ("list", "lab"):
            (cls.folder / name).mkdir()
        cls.list = cls.folder / "list" / "domains"
        cls.list.write_text(places.LIST)
        docker("network", "create", "--internal", INSIDE)
        docker("network", "create", "--internal", "--subnet", "203.0.113.0/24", "--gateway", "203.0.113.254", OUTSIDE)
        cls.internet()
        cls.proxy()

    @classmethod
    def clean(cls):
        atexit.unregister(cls.clean)
        for name in (APPLICATION, PROXY, INTERNET):
            docker("rm", "-f", "-v", name, check=False)
        docker("volume", "rm", f"{RUN}-log", check=False)
        for name in (INSIDE, OUTSIDE):
            docker("network", "rm", name, check=False)
        if hasattr(cls, "folder"):
            shutil.rmtree(cls.folder, ignore_errors=True)

    @classmethod
    def internet(cls):
        # It serves when its addresses are there.
        serve = "until [ -e /lab/go ]; do sleep 0.1; done; exec python3 -B /egress/check --serve /lab"
        docker("run", "-d", "--name", INTERNET, "--user", "0", "--network", OUTSIDE, "--ip", places.DNS, "-v", f"{SOURCE}:/egress:ro", "-v", f"{cls.folder}/lab:/lab",
               "--no-healthcheck", "--entrypoint", "sh", IMAGE, "-c", serve)
        for address in (places.ALLOWED_ADDRESS, places.EVIL_ADDRESS, *(address for address in places.PRIVATE.values() if ":" not in address)):
            cls.ip(INTERNET, "address", "add", f"{address}/32", "dev", "eth0")
        (cls.folder / "lab" / "go").touch()
        wait((cls.folder / "lab" / "ready").exists, "the Internet is not ready", INTERNET)

    @staticmethod
    def ip(container: str, *arguments: str) -> None:
        """`ip` in a container's network, from the host: nothing in there has the right to, nor the program."""
        pid = docker("inspect", "--format", "{{.State.Pid}}", container)
        subprocess.run(["nsenter", f"--net=/proc/{pid}/ns/net", "ip", *arguments], check=True)

    @classmethod
    def proxy(cls):
        inside = docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", INSIDE)
        docker("run", "-d", "--name", PROXY, "--network", OUTSIDE, "--ip", PROXY_OUTSIDE, *hardened(), "-v", f"{RUN}-log:/var/log/egress", "-v", f"{cls.folder}/list:/etc/egress:ro",
               "-e", f"EGRESS_RESOLVERS={places.DNS}", "-e", f"EGRESS_CLIENTS={inside} {APPLICATION_OUTSIDE}/32", IMAGE)
        docker("network", "connect", INSIDE, PROXY)
        # An internal network has no default route. The proxy gets one to the Internet, so that addresses which it should
        # refuse could be reached; last, because Docker connects no network to a container that has one already.
        cls.ip(PROXY, "route", "replace", "default", "via", places.DNS)
        wait(lambda: docker("inspect", "--format", "{{.State.Health.Status}}", PROXY) == "healthy", "the proxy is not healthy", PROXY)
        cls.address = docker("inspect", "--format", f'{{{{(index .NetworkSettings.Networks "{INSIDE}").IPAddress}}}}', PROXY)

    def check(self, network: str, *docker_arguments: str, only: str | None = None) -> dict:
        command = ["docker", "run", "--rm", "--name", APPLICATION, "--network", network, *docker_arguments, "--cap-drop", "ALL", "--no-healthcheck", "-v", f"{SOURCE}:/egress:ro",
                   "--entrypoint", "python3", IMAGE, "-B", "/egress/check", "--json", "--proxy", f"{self.address if network == INSIDE else PROXY_OUTSIDE}:3128"]
        done = subprocess.run([*command, *(["--only", only] if only else [])], capture_output=True, text=True, timeout=600)
        try:
            return {"code": done.returncode, **json.loads(done.stdout)}
        except ValueError:
            raise AssertionError(f"check ended with {done.returncode} and no result:\n{done.stdout}\n{done.stderr}") from None

    def test_the_whole_list_from_an_internal_network(self):
        result = self.check(INSIDE, "--dns", "127.0.0.1")
        bad = [one for one in result["results"] if one["verdict"] in ("HOLE", "BROKEN")]
        self.assertEqual((bad, result["code"]), ([], 0))
        self.assertGreater(len(result["results"]), 200)

    def test_names_leave_where_containers_have_a_resolver_and_the_check_says_so(self):
        """The same resolver of Docker's at 127.0.0.11, with one behind it: what --dns 127.0.0.1 takes away."""
        result = self.check(OUTSIDE, "--ip", APPLICATION_OUTSIDE, "--dns", places.DNS, only="dns-engine,dns-system,direct-http,dns-udp,listed-http")
        self.assertEqual(verdicts(result, "HOLE"), {"dns-engine", "dns-system", "direct-http", "dns-udp"})

    def test_others_on_the_proxys_way_out_do_not_use_it(self):
        ask = f"import urllib.request, urllib.error\ntry: urllib.request.urlopen('http://{places.ALLOWED}/')\nexcept urllib.error.HTTPError as error: print(error.code)"
        said = docker("run", "--rm", "--name", APPLICATION, "--network", OUTSIDE, "--ip", "203.0.113.4", "--no-healthcheck", "-e", f"http_proxy=http://{PROXY_OUTSIDE}:3128",
                      "--entrypoint", "python3", IMAGE, "-c", ask)
        self.assertEqual(said, "403")

    def test_the_resolver_answers_nothing_from_elsewhere_and_still_names_of_the_network(self):
        ask = ("import socket\n"
               "def known(name):\n"
               "    try: return socket.gethostbyname(name)\n"
               "    except OSError as error: return type(error).__name__\n"
               f"print(known('{PROXY}'), known('unknown.example'))")
        said = docker("run", "--rm", "--name", APPLICATION, "--network", INSIDE, "--dns", "127.0.0.1", "--no-healthcheck", "--entrypoint", "python3", IMAGE, "-c", ask)
        self.assertEqual(said, f"{self.address} gaierror")

    def test_it_runs_without_rights_on_a_read_only_disk(self):
        state = json.loads(docker("inspect", PROXY))[0]
        self.assertTrue(state["HostConfig"]["ReadonlyRootfs"])
        self.assertEqual(state["HostConfig"]["CapDrop"], ["ALL"])
        status = docker("exec", PROXY, "cat", "/proc/1/status")
        for line in ("CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "NoNewPrivs:\t1", "Uid:\t70999\t70999\t70999\t70999"):
            self.assertIn(line, status)
        left = docker("exec", PROXY, "sh", "-c", "find / -xdev -perm /6000 2>/dev/null; touch /usr/x /etc/egress/x 2>/dev/null && echo writable; true")
        self.assertEqual(left, "")

    def test_the_list_changes_while_it_runs(self):
        reload = [str(SOURCE / "reload"), PROXY]
        try:
            self.list.write_text(places.LIST + f"{places.EVIL}\n")
            self.assertEqual(subprocess.run(reload, capture_output=True, timeout=60).returncode, 0)
            self.assertEqual(verdicts(self.check(INSIDE, "--dns", "127.0.0.1", only="unlisted-http,unlisted-https"), "HOLE"), {"unlisted-http", "unlisted-https"})
            self.list.write_text("https://wrong.example\n")
            done = subprocess.run(reload, capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 2)
            self.assertIn("write wrong.example", done.stderr)
        finally:
            self.list.write_text(places.LIST)
            self.assertEqual(subprocess.run([*reload[:1], "--cut", *reload[1:]], capture_output=True, timeout=60).returncode, 0)
        self.assertEqual(self.check(INSIDE, "--dns", "127.0.0.1", only="unlisted-http,listed-https")["code"], 0)

    def test_z_it_stops_in_order_and_the_log_is_for_others_to_read(self):
        begun = time.monotonic()
        docker("stop", "--time", "20", PROXY)
        self.assertLess(time.monotonic() - begun, 15)
        self.assertEqual(docker("inspect", "--format", "{{.State.ExitCode}}", PROXY), "0")
        lines = docker("run", "--rm", "--name", APPLICATION, "--network", "none", "--user", "71000", "--no-healthcheck", "--entrypoint", "cat", "-v", f"{RUN}-log:/log:ro", IMAGE, "/log/access.log")
        verdict = {json.loads(line)["verdict"] for line in lines.splitlines()}
        self.assertEqual(verdict, {"allowed", "denied"})
        docker("start", PROXY)


if __name__ == "__main__":
    unittest.main()
