"""Each defence taken out is found: its rows become holes, and every row that must not arrive does arrive somewhere in here."""

import os
import shutil
import unittest

from support import HERE, changed, check, verdicts

SQUID, UNBOUND, HELLO = "squid.conf.in", "unbound.conf.in", "allowlist/client_hello.py"

NO_LIST = (SQUID, 'acl listed dstdomain -n "@run@/domains"', "acl listed src all")
NO_RESOLVER_CHECK = (UNBOUND, "@response_rules@", "")
NO_ADDRESS_CHECK = (SQUID, "acl forbidden_address dst @refused_addresses@", "acl forbidden_address dst 192.0.2.255")
NO_MANAGER_CHECK = (SQUID, "http_access deny manager say_manager\n", "")

# What is taken out, and rows that have to be holes without it; `--only` these are tried.
DEFENCES = {
    "the list": ([NO_LIST], "unlisted-http unlisted-https below-exact-http listed-in-front-https listed-behind-http parent-https unlisted-dot-https unlisted-case-http"
                            " punycode-https ip-http ip-https ip-of-listed-http ip-decimal-http ip-octal-http ip-hex-http ip-hex-dotted-http ip-short-http ip6-http"
                            " ip6-mapped-http user-http fragment-http question-mark-http redirect pipelined host-listed-uri-not http-1.0 dns-through-proxy"),
    # The resolver by itself says of documentation ranges that nobody has a reverse name there.
    "that an address is no name": ([(SQUID, "dstdomain -n \"@run@/domains\"", "dstdomain \"@run@/domains\""),
                                    (UNBOUND, "hide-version: yes\n", "hide-version: yes\n    local-zone: \"113.0.203.in-addr.arpa.\" nodefault\n")], "ip-http"),
    "that an exact name is exact": ([("lists", "entry + \"\\n\" for entry in", "\".\" + entry.lstrip(\".\") + \"\\n\" for entry in")], "below-exact-http below-exact-https"),
    "that nothing unlisted is looked up": (
        [(SQUID, "http_access deny CONNECT !clients tunnel_client\n", "http_access deny forbidden_address\nhttp_access deny CONNECT !clients tunnel_client\n")], "dns-through-proxy"),
    "that addresses are checked": (
        [NO_RESOLVER_CHECK, NO_ADDRESS_CHECK],
        "name-to-10.99.0.1-http name-to-10.99.0.1-https name-to-172.20.0.1-http name-to-192.168.77.1-http name-to-100.64.0.1-http name-to-169.254.7.7-http"
        " name-to-169.254.169.254-http name-to-169.254.169.254-https name-to-168.63.129.16-http name-to-198.18.0.1-http name-to-240.0.0.9-http"
        " name-to-fd00:ec2::254-http name-to-64:ff9b::a63:1-http name-to-2002:a63:1::1-http name-to-2001:0:a63:1::1-http name-to-127.0.0.1-http name-to-127.0.0.1-https"
        " name-to-0.0.0.0-http name-to-::1-http name-to-::ffff:127.0.0.1-http name-to-mapped-http name-alias-http rebinding rebinding-tunnel"),
    "that other ports are refused to tunnels": ([(SQUID, "acl tunnel_ports port @connect_ports@", "acl tunnel_ports port 1-65535")],
                                                "port-22-connect port-25-connect port-80-connect port-53-connect port-853-connect port-8080-connect port-8443-connect"),
    "that other ports are refused to requests": ([(SQUID, "acl plain_ports port @http_ports@", "acl plain_ports port 1-65535")], "port-22-http port-25-http port-8080-http"),
    "that a tunnel's first message is read": ([(SQUID, "ssl_bump splice say_unchecked hello_fits say_begun mark_fits", "ssl_bump splice all mark_fits")],
                                              "sni-other sni-other-listed sni-none sni-two sni-two-last sni-nul sni-longer sni-records sni-pieces ech sni-empty"),
    "that a tunnel that could not be checked ends": ([(SQUID, "http_access deny CONNECT was_peeked !was_found_to_fit tunnel_unchecked\n", "")], "sni-flood"),
    # The same where the helper says that it has failed.
    "that a tunnel that was not checked ends": (
        [("hello", "print(answer(line, options.encrypted_hello == \"refuse\"), flush=True)", "print(line.split()[0], \"BH\", flush=True)"),
         (SQUID, "http_access deny CONNECT was_peeked !was_found_to_fit tunnel_unchecked\n", "")], "sni-other sni-none"),
    "that a name is compared": ([(HELLO, 'return "server_name"\n', "return None\n")], "sni-other sni-other-listed sni-two sni-two-last sni-nul sni-longer sni-pieces"),
    "that a name is needed": ([(HELLO, 'return "no_server_name"\n', "return None\n")], "sni-none"),
    "that there is one name": ([(HELLO, "[name.lower() for name in names] != [", "[name.lower() for name in names][:1] != [")], "sni-two"),
    "that nothing comes twice": ([(HELLO, "if len(kinds) != len(set(kinds)):", "if False:"), (HELLO, "[name.lower() for name in names] != [", "[name.lower() for name in names][:1] != [")],
                                 "sni-twice"),
    "that an encrypted hello is refused": ([(HELLO, 'return "encrypted_hello"\n', "pass\n")], "ech"),
    # What would be carried then is a request without a method, which the rules for plain requests refuse as well.
    "that what is no TLS is not carried": (
        [(SQUID, "on_unsupported_protocol respond all", "on_unsupported_protocol tunnel all"), (SQUID, "http_access deny !plain_http say_scheme\n", ""),
         (SQUID, "http_access deny !plain_ports say_port\n", ""), (SQUID, "http_access deny !plain_methods say_method\n", "")], "not-tls-http not-tls-ssh"),
    "that other schemes are refused": ([(SQUID, "http_access deny !plain_http say_scheme\n", "")], "scheme-https scheme-ftp"),
    "that other methods are refused": ([(SQUID, "http_access deny !plain_methods say_method\n", "")], "method-TRACE method-PROPFIND method-SUBSCRIBE"),
    "that the proxy's pages are not shown": ([NO_MANAGER_CHECK, NO_LIST, (SQUID, "http_access deny !plain_ports say_port\n", ""), NO_ADDRESS_CHECK], "manager"),
    "that no protocol is switched to": ([(SQUID, "http_upgrade_request_protocols OTHER deny all", "http_upgrade_request_protocols OTHER allow all")], "switch-protocol"),
    "that servers are told nothing": ([(SQUID, "via off", "via on"), (SQUID, "request_header_access Via deny all\n", "")], "told"),
    "that the client's address is not told": ([(SQUID, "forwarded_for delete", "forwarded_for on"), (SQUID, "request_header_access X-Forwarded-For deny all\n", "")], "told"),
    "that nothing is kept": ([(SQUID, "cache deny all\n", ""), (SQUID, "cache_mem 0", "cache_mem 8 MB")], "kept"),
    "that the resolver answers nobody else": ([(UNBOUND, "interface: 127.0.0.1", "interface: 0.0.0.0"), (UNBOUND, "127.0.0.0/8 allow", "0.0.0.0/0 allow")],
                                              "dns-proxy-udp dns-proxy-tcp proxy-ports"),
}
# Either of two layers holds alone, as far as can be tried without winning a race.
LAYERS = {"the resolver's": [NO_ADDRESS_CHECK], "squid's": [NO_RESOLVER_CHECK]}
ADDRESS_ROWS = DEFENCES["that addresses are checked"][1]

# Never a hole in here: TCP does not go to a multicast address whatever a proxy does; the other two need a container, whose
# tests see them.
NEVER = {"name-to-224.0.0.1-http", "name-to-224.0.0.1-https", "dns-engine", "dns-system"}


# For development: those defences only whose description contains this.
ONLY = os.environ.get("EGRESS_TEST_DEFENCE", "")


class Defences(unittest.TestCase):
    holes: set[str] = set()

    def test_a_each_defence_taken_out_is_a_hole(self):
        for what, (edits, rows) in DEFENCES.items():
            if ONLY not in what:
                continue
            with self.subTest(what), changed(*edits) as tree:
                result = check(tree, "--only", ",".join(["listed-http", *rows.split()]))
                found = verdicts(result, "HOLE")
                type(self).holes |= found
                self.assertEqual(found, set(rows.split()), f"without {what}")
                self.assertEqual(result["code"], 1)

    def test_b_either_layer_of_the_address_check_holds_alone(self):
        for what, edits in LAYERS.items():
            with self.subTest(what), changed(*edits) as tree:
                result = check(tree, "--only", ",".join(["listed-http", *ADDRESS_ROWS.split()]))
                self.assertEqual(verdicts(result, "HOLE"), set(), f"with {what} layer alone")

    def test_b_a_helper_that_has_no_answer_lets_nothing_pass(self):
        broken = ("hello", "print(answer(line, options.encrypted_hello == \"refuse\"), flush=True)", "print(line.split()[0], \"BH\", flush=True)")
        with changed(broken) as tree:
            result = check(tree, "--only", "listed-http,listed-https,sni-other,sni-none,sni-flood")
            self.assertEqual((verdicts(result, "HOLE"), verdicts(result, "BROKEN")), (set(), {"listed-https"}))

    def test_c_an_open_proxy_in_an_open_network_is_one_hole(self):
        with changed() as tree:
            shutil.copy(HERE / "open_proxy.py", tree / "entrypoint")
            (tree / "entrypoint").chmod(0o755)
            result = check(tree, "--open-network")
        self.assertEqual(result["code"], 1)
        type(self).holes |= verdicts(result, "HOLE")
        self.assertIn("direct-http", self.holes)

    def test_d_every_row_that_must_not_arrive_can(self):
        if not self.holes:
            self.skipTest("the tests before this one did not run")
        from bypass.rows import DENIED, all_rows

        self.assertEqual({row.name for row in all_rows() if row.expected == DENIED} - self.holes, NEVER)


if __name__ == "__main__":
    unittest.main()
