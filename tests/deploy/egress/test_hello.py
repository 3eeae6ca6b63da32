"""What the helper says about how a tunnel begins."""

import base64
import random
import subprocess
import unittest

from support import SOURCE

from allowlist import client_hello
from bypass.probe import SERVER_NAME, Hello, server_name_extension

HOST = "allowed.example"


class Verdicts(unittest.TestCase):
    def verdict(self, hello, host=HOST, **more):
        return client_hello.verdict(hello.records(**more), host)

    def test_only_the_host_that_was_asked_for_passes(self):
        self.assertIsNone(self.verdict(Hello(HOST)))
        self.assertIsNone(self.verdict(Hello(HOST).naming("Allowed.EXAMPLE")))
        self.assertIsNone(self.verdict(Hello(HOST), host="ALLOWED.example."))
        self.assertIsNone(self.verdict(Hello(HOST), size=7))
        self.assertEqual(self.verdict(Hello("evil.example")), "server_name")
        self.assertEqual(self.verdict(Hello("evil.example"), size=7), "server_name")
        self.assertEqual(self.verdict(Hello(HOST).naming(HOST + "\0.evil.example")), "server_name")
        self.assertEqual(self.verdict(Hello(HOST).naming(HOST + ".")), "server_name")
        self.assertEqual(self.verdict(Hello(HOST).naming(HOST, "evil.example")), "server_name")
        self.assertEqual(self.verdict(Hello(HOST).naming("evil.example", HOST)), "server_name")

    def test_no_name_is_a_reason_of_its_own(self):
        self.assertEqual(self.verdict(Hello(None)), "no_server_name")
        self.assertEqual(self.verdict(Hello(HOST).naming()), "no_server_name")

    def test_an_encrypted_hello_is_refused_unless_it_is_allowed(self):
        for kind in (0xFE0D, 0xFFCE):
            hello = Hello(HOST)
            hello.with_extensions([*hello.extensions(), (kind, b"inside")])
            self.assertEqual(self.verdict(hello), "encrypted_hello")
            self.assertIsNone(client_hello.verdict(hello.records(), HOST, refuse_encrypted=False))

    def test_what_is_ambiguous_is_not_tls(self):
        twice = Hello(HOST)
        twice.with_extensions([*twice.extensions(), (SERVER_NAME, server_name_extension("evil.example"))])
        self.assertEqual(self.verdict(twice), "not_tls")
        for data in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x00", b"\x16\x03\x01\x00\x04\x02\x00\x00\x00", Hello(HOST).records()[:-1]):
            self.assertEqual(client_hello.verdict(data, HOST), "not_tls")

    def test_any_bytes_have_a_verdict_and_only_the_right_name_has_none(self):
        rng = random.Random(20)
        good = Hello("evil.example").records()
        for _ in range(3000):
            data = bytearray(good)
            for _ in range(rng.randint(1, 6)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            if rng.random() < 0.3:
                del data[rng.randrange(len(data)) :]
            self.assertIsNotNone(client_hello.verdict(bytes(data), HOST))


class Helper(unittest.TestCase):
    def ask(self, *lines):
        done = subprocess.run([str(SOURCE / "hello")], input="".join(line + "\n" for line in lines), capture_output=True, text=True, timeout=20)
        self.assertEqual(done.stderr, "")
        return done.stdout.splitlines()

    def test_each_line_has_an_answer_with_its_channel_whatever_it_says(self):
        good = base64.b64encode(Hello(HOST).records()).decode()
        other = base64.b64encode(Hello("evil.example").records()).decode()
        self.assertEqual(
            self.ask(f"0 {HOST} {good} -", f"1 {HOST} {other}", f"2 {HOST} -", "3", "4 one", f"5 {HOST} {good.replace('+', '%2B').replace('/', '%2F').replace('=', '%3D')}", "nonsense here", f"6 {HOST} {good}%"),
            ["0 OK", "1 ERR hello=server_name", "2 ERR hello=not_tls", "3 ERR hello=not_tls", "4 ERR hello=not_tls", "5 OK", "ERR hello=not_tls", "6 ERR hello=not_tls"],
        )


if __name__ == "__main__":
    unittest.main()
