"""Gets what peers need: Debian packages, crates, packages from PyPI. What fails names its command and its reason."""

import functools
import pathlib
import re
import shutil
import subprocess

from .errors import Failed

HERE = pathlib.Path(__file__).resolve().parent.parent


class Install:
    def __init__(self, target, say):
        self.target, self.say = target, say

    def run(self, *command, **options):
        """A command that must work; the last line of what it complains about is the reason."""
        command = [str(part) for part in command]
        ended = subprocess.run(command, capture_output=True, text=True, **options)
        if ended.returncode != 0:
            lines = [line for line in ended.stderr.strip().splitlines() if line.strip()]
            errors = [line for line in lines if re.match(r"\s*(error|E:|ERROR)", line)]
            shown = " ".join(pathlib.Path(part).name if "/" in part else part for part in command)
            raise Failed(f"`{shown}`: {(errors or lines or [str(ended.returncode)])[0].strip()}")
        return ended.stdout

    def debian(self, program, *packages):
        if not shutil.which(program):
            self._apt_get(packages)

    def debian_file(self, file, package):
        if not pathlib.Path(file).exists():
            self._apt_get([package])

    def _apt_get(self, packages):
        self.say(f"installing with apt-get: {' '.join(packages)}")
        if not shutil.which("apt-get"):
            raise Failed(f"needs {' '.join(packages)} (names of Debian packages), and there is no apt-get")
        as_root = [] if subprocess.run(["id", "-u"], capture_output=True, text=True).stdout.strip() == "0" else ["sudo"]
        self._update(tuple(as_root))
        quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq", "--no-install-recommends"]
        self.run(*as_root, *quiet, *packages)

    @functools.cache
    def _update(self, as_root):
        self.run(*as_root, "apt-get", "update", "-qq")

    def debian_version(self, package):
        return self.run("dpkg-query", "-W", "-f", "${Version}", package)

    def pypi(self, *packages):
        """The Python of a virtual environment with just these; one each, so that peers do not choose each other's versions."""
        folder = self.target / "python" / re.sub(r"[^a-z0-9]+", "-", packages[0].lower())
        python, done = folder / "bin/python", folder / "complete"
        wanted = "\n".join(packages)
        if not done.exists() or done.read_text() != wanted:
            self.say(f"installing from PyPI: {' '.join(packages)}")
            self.run("python3", "-m", "venv", "--clear", folder)
            self.run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages)
            done.write_text(wanted)
        return python

    def crate(self, name, version):
        """A program from crates.io, built outside of this package: its settings are not for others."""
        program = self.target / "cargo" / f"{name}-{version}" / "bin" / name
        if not program.exists():
            self.say(f"building the crate {name} {version}, which takes some minutes")
            build = ["--root", program.parent.parent, "--target-dir", self.target / "cargo-build"]
            self.run("cargo", "install", name, "--version", version, "--locked", "--quiet", *build, cwd="/")
        return program

    def own_program(self, name):
        """One of the programs in benches/peers; for the machine's own target, as users of those crates build."""
        self.say_once(f"building benches/peers: {name}")
        built = self.target / "peers-build"
        manifest = HERE / "peers/Cargo.toml"
        self.run("cargo", "build", "--release", "--locked", "--quiet", "-p", name, "--manifest-path", manifest, "--target-dir", built, cwd="/")
        return built / "release" / name

    def say_once(self, text):
        if not (self.target / "peers-build").exists():
            self.say(text)

    def locked_version(self, crate):
        lock = (HERE / "peers/Cargo.lock").read_text()
        return re.search(rf'name = "{crate}"\nversion = "([^"]+)"', lock)[1]
