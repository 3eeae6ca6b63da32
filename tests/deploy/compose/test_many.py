"""Many desktops on one machine: no two share a user, a name or a volume; twenty of them run at once."""

import os
import pathlib
import re
import secrets
import shutil
import tempfile
import unittest

from strong import IMAGE, PROGRAM, SCRIPT, Desktop, run

FULL = "DESKHAND_TEST_FULL" in os.environ
HOW_MANY = 20 if FULL else 3


class Many(unittest.TestCase):
    def setUp(self) -> None:
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="deskhand-compose-"))
        self.addCleanup(shutil.rmtree, self.work)
        self.run_id = secrets.token_hex(3)

    def make(self, count: int) -> list[pathlib.Path]:
        directories = [self.work / f"test-{self.run_id}-{number}" for number in range(count)]
        for directory in directories:
            run(SCRIPT, "new", directory, "--token", self.work / "token", "--image", IMAGE, "--size", "1024x768")
        return directories

    def test_no_two_share_a_user_and_no_token_is_given_away(self) -> None:
        directories = self.make(20)
        desktops = [Desktop(directory, self.work / "token", None) for directory in directories]
        users = [each.settings[name] for each in desktops for name in ("DESKTOP_DISPLAY_UID", "DESKTOP_APPLICATIONS_UID")]
        self.assertEqual(len(set(users)), 40)
        token = (self.work / "token").read_text()
        self.assertEqual((self.work / "token").stat().st_mode & 0o777, 0o600)
        for directory in directories:
            self.assertEqual(directory.stat().st_mode & 0o777, 0o700)
            for path in directory.rglob("*"):
                if path.is_file():
                    self.assertNotIn(token, path.read_text())

    def test_many_at_once(self) -> None:
        directories = self.make(HOW_MANY)
        self.addCleanup(run, SCRIPT, "down", "--volumes", *directories)
        run(SCRIPT, "up", *directories)
        for directory in directories:
            Desktop(directory, self.work / "token", None).typed_arrives(f"Wörld of {directory.name}")

    def test_what_is_wrong_is_told(self) -> None:
        new = (SCRIPT, "new", self.work / "one", "--token", self.work / "token")
        cases = [
            ((SCRIPT, "new", self.work, "--token", self.work / "token"), "is there already"),
            ((SCRIPT, "new", self.work / "No Name", "--token", self.work / "token"), "cannot name a desktop"),
            ((SCRIPT, "new", self.work / "one", "--token-sha256", "abc"), "got 3 characters"),
            ((*new, "--size", "big"), "--size is WxH in pixels"),
            ((*new, "--network", "some"), "both or neither"),
            ((*new, "--secrets", self.work / "none"), "there is no such file"),
            ((SCRIPT, "up", self.work), "is no desktop"),
        ]
        for command, said in cases:
            with self.subTest(said):
                done = run(*command, check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn(said, done.stderr)
                self.assertFalse((self.work / "one").exists())

    def test_the_help_names_every_verb(self) -> None:
        said = run(SCRIPT, "--help").stdout
        for verb in ("new", "up", "down", "compose", "build"):
            self.assertTrue(re.search(rf"^  {verb}\b", said, re.MULTILINE), verb)
        self.assertTrue(PROGRAM)


if __name__ == "__main__":
    unittest.main()
