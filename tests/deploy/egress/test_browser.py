"""What README.md says of browsers: Chromium sends an Encrypted Client Hello to everybody, and a policy ends that."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest

from support import SOURCE

from bypass import lab, places

POLICY = {"EncryptedClientHelloEnabled": False}


@unittest.skipUnless(shutil.which("chromium"), "there is no Chromium here")
class Chromium(unittest.TestCase):
    def page(self, built, policy, url):
        """What Chromium shows of a page, with a policy that only this one sees."""
        with tempfile.TemporaryDirectory(prefix="egress-browser-") as folder:
            # Its own copy of the configuration, mounted where nobody else sees it.
            begin = (f"cp -a /etc/chromium/. {folder}/etc/ && mkdir -p {folder}/etc/policies/managed && printf '%s' '{json.dumps(policy)}' >{folder}/etc/policies/managed/egress.json"
                     f" && mount --bind {folder}/etc /etc/chromium && exec \"$@\"")
            browser = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile", "--ignore-certificate-errors",
                       f"--proxy-server=http://{lab.PROXY_INSIDE}:{lab.PROXY_PORT}", "--dump-dom", url]
            os.mkdir(f"{folder}/etc")
            with built.applications.start(["unshare", "--mount", "sh", "-c", begin, "sh", "timeout", "60", *browser], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                          env={**os.environ, "HOME": folder}) as running:
                return running.communicate()[0].decode(errors="replace")

    def test_a_listed_page_needs_the_policy_and_an_unlisted_one_does_not_come(self):
        with lab.Lab(SOURCE) as built:
            def reasons():
                lines = [json.loads(line) for line in built.log.read_text().splitlines()]
                return {line["reason"] for line in lines if line["method"] == "CONNECT" and line["host"] == places.ALLOWED}

            self.assertNotIn("certificate", self.page(built, {}, f"https://{places.ALLOWED}/"))
            self.assertEqual(reasons(), {"encrypted_hello"})
            self.assertIn("certificate", self.page(built, POLICY, f"https://{places.ALLOWED}/"))
            self.assertEqual(reasons(), {"encrypted_hello", "listed"})
            self.assertNotIn("certificate", self.page(built, POLICY, f"https://{places.EVIL}/"))


if __name__ == "__main__":
    unittest.main()
