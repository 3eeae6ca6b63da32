"""The binary of the image: static, without a trace of where it was built, and the same from each build."""

import hashlib
import os
import pathlib
import subprocess
import tempfile
import time
import unittest

from desktop import DESKHAND, ROOT, docker


def binary_of(image):
    container = docker("create", image, "nothing").strip()
    try:
        with tempfile.TemporaryDirectory() as folder:
            docker("cp", f"{container}:/deskhand", folder)
            return pathlib.Path(folder, "deskhand").read_bytes()
    finally:
        docker("rm", container)


class Binary(unittest.TestCase):
    def test_it_names_no_place_of_the_build(self):
        content = pathlib.Path(DESKHAND).read_bytes()
        for place in (b"/usr/local/cargo", b"/build/", b"/root/", b"index.crates.io-"):
            self.assertNotIn(place, content)
        # What is there instead, or the test would look for the wrong thing.
        self.assertIn(b"/registry/", content)

    def test_it_is_static(self):
        header = pathlib.Path(DESKHAND).read_bytes()[:4]
        self.assertEqual(header, b"\x7fELF")
        self.assertNotIn(b"/lib64/ld-linux", pathlib.Path(DESKHAND).read_bytes())

    @unittest.skipUnless(os.environ.get("DESKHAND_TEST_FULL"), "--full compiles it twice")
    def test_two_builds_give_the_same_file(self):
        digests = []
        for number in (1, 2):
            # The stage itself, by a name: what a later stage leaves of it has none, and would stay.
            image = f"deskhand-test-build:{os.getpid()}-{number}"
            started = time.monotonic()
            try:
                # Not captured: a build that says nothing for minutes looks like one that hangs.
                subprocess.run(["docker", "build", "--no-cache", "--target", "build", "--tag", image, str(ROOT)], check=True, timeout=1800)
                digests.append(hashlib.sha256(binary_of(image)).hexdigest())
            finally:
                docker("image", "rm", image, check=False)
            print(f"    build {number}: {digests[-1]} in {time.monotonic() - started:.0f} s", flush=True)
        self.assertEqual(digests[0], digests[1])


if __name__ == "__main__":
    unittest.main()
