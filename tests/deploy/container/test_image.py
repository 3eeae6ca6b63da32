"""What is in the images, and what is not."""

import io
import json
import os
import pathlib
import re
import struct
import subprocess
import tarfile
import tempfile
import unittest

from desktop import BINARY_IMAGE, IMAGE, docker

SETUID_OR_SETGID = 0o6000


def saved(image):
    """The layers of an image as opened archives, the lowest first, with the image's configuration."""
    with tempfile.TemporaryFile() as file:
        subprocess.run(["docker", "save", image], stdout=file, check=True, timeout=300)
        file.seek(0)
        with tarfile.open(fileobj=file) as archive:
            (manifest,) = json.load(archive.extractfile("manifest.json"))
            configuration = json.load(archive.extractfile(manifest["Config"]))
            for name in manifest["Layers"]:
                with tarfile.open(fileobj=io.BufferedReader(archive.extractfile(name))) as layer:
                    yield configuration, layer


def files(image):
    """The image's files as a container sees them, each with its archive's entry."""
    found = {}
    for _, layer in saved(image):
        for entry in layer:
            path = "/" + entry.name.lstrip("./")
            folder, name = os.path.split(path)
            if name == ".wh..wh..opq":
                for other in [other for other in found if other.startswith(folder + "/")]:
                    del found[other]
            elif name.startswith(".wh."):
                gone = os.path.join(folder, name[len(".wh."):])
                for other in [other for other in found if other == gone or other.startswith(gone + "/")]:
                    del found[other]
            else:
                found[path] = entry
    return found


class BinaryImage(unittest.TestCase):
    def test_it_has_one_file_and_that_runs(self):
        self.assertEqual([path for path, entry in files(BINARY_IMAGE).items() if not entry.isdir() or path != "/"], ["/deskhand"])
        self.assertRegex(docker("run", "--rm", "--network=none", "--read-only", "--cap-drop=ALL", BINARY_IMAGE, "--version"), r"^deskhand \d")

    def test_the_desktop_has_the_same_file(self):
        def digest(image, path):
            container = docker("create", image, "nothing").strip()
            try:
                with tempfile.TemporaryDirectory() as folder:
                    docker("cp", f"{container}:{path}", folder)
                    return pathlib.Path(folder, "deskhand").read_bytes()
            finally:
                docker("rm", container)

        self.assertEqual(digest(BINARY_IMAGE, "/deskhand"), digest(IMAGE, "/usr/local/bin/deskhand"))


class DesktopImage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = files(IMAGE)
        cls.configuration = json.loads(docker("image", "inspect", IMAGE))[0]["Config"]

    def test_no_file_gives_a_process_more_than_its_user_has(self):
        self.assertGreater(len(self.files), 1000, "the list of files is not one of a Debian")
        self.assertEqual([path for path, entry in self.files.items() if entry.mode & SETUID_OR_SETGID and not entry.issym()], [])
        # As archives carry extended attributes; the kernel reads capabilities from this one.
        self.assertEqual([path for path, entry in self.files.items() if "SCHILY.xattr.security.capability" in entry.pax_headers], [])

    def test_a_capability_would_have_been_seen(self):
        """The test above looks for what `docker save` writes. This one makes such a file and sees that it is found."""
        version_2 = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)  # linux/capability.h: CAP_NET_RAW, effective
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder, "program")
            program.write_bytes(b"#!/bin/sh\n")
            program.chmod(0o4755)
            try:
                os.setxattr(program, "security.capability", version_2)
            except OSError as error:
                self.skipTest(f"this user or file system gives no file capabilities: {error}")
            image = f"deskhand-test-capability-{os.getpid()}"
            with tempfile.TemporaryFile() as archive:
                subprocess.run(["tar", "--create", "--xattrs", "--xattrs-include=*", "--directory", folder, "program"], stdout=archive, check=True)
                archive.seek(0)
                docker("import", "-", image, stdin=archive)
            try:
                entry = files(image)["/program"]
                self.assertIn("SCHILY.xattr.security.capability", entry.pax_headers)
                self.assertTrue(entry.mode & SETUID_OR_SETGID)
            finally:
                docker("image", "rm", image)

    def test_nothing_of_the_machine_that_built_it_is_in_it(self):
        self.assertEqual([line for line in self.configuration["Env"] if "TOKEN" in line], [])
        self.assertNotIn("TOKEN", docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", IMAGE))
        left = r"/(\.cargo|cargo|rustup|\.docker|\.ssh)(/|$)|/token$|^/build/|^/root/.+\.(toml|json|netrc)$"
        self.assertEqual([path for path in self.files if re.search(left, path)], [])
        # As many certificates as Debian's package has, and none that a machine added.
        script = "ls /usr/share/ca-certificates/mozilla | wc -l; grep -c BEGIN /etc/ssl/certs/ca-certificates.crt; find /usr/local/share/ca-certificates -type f"
        debians, trusted, *added = docker("run", "--rm", "--network=none", "--entrypoint", "sh", IMAGE, "-c", script).split()
        self.assertGreater(int(debians), 100)
        self.assertEqual((trusted, added), (debians, []))

    def test_it_runs_as_an_ordinary_user_of_its_own(self):
        user, group = self.configuration["User"].split(":")
        self.assertGreater(int(user), 65_535)
        self.assertEqual(user, group)

    def test_what_everybody_may_write_is_known(self):
        """On a read-only root it does not matter; where somebody forgets that flag it does."""
        writable = {path for path, entry in self.files.items() if entry.mode & 0o002 and not entry.issym() and not entry.isdev()}
        self.assertLessEqual(writable, {"/tmp", "/var/tmp", "/run/lock", "/dev/shm"})

    def test_fonts_have_the_scripts_of_the_world(self):
        for text, language in {"世界": "zh-cn", "日本": "ja", "한국": "ko", "мир": "ru", "नमस्ते": "hi", "ไทย": "th", "سلام": "ar"}.items():
            script = f"fc-list ':lang={language}' file | head -n 1"
            found = docker("run", "--rm", "--network=none", "--entrypoint", "sh", IMAGE, "-c", script)
            self.assertIn("/fonts/", found, f"no font for {language} ({text})")
        self.assertIn("Emoji", docker("run", "--rm", "--network=none", "--entrypoint", "fc-match", IMAGE, "emoji"))


if __name__ == "__main__":
    unittest.main()
