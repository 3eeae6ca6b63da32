"""The server of page.html on loopback: pages, answers that take their time, and the reports."""

import http.server
import json
import queue
import threading
import time
import urllib.parse

from desktop import ROOT, Failed

PAGE = ROOT / "tests/settle/page.html"


class Pages:
    """Each report of the page goes into a queue; where the page has to go is in the answer to its report."""

    def __init__(self):
        self.reports, self.shown, self.go, self.over = queue.Queue(), queue.Queue(), None, threading.Event()
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                path, _, query = self.path.partition("?")
                seconds = int(dict(urllib.parse.parse_qsl(query)).get("ms", 0)) / 1000
                if path in ("/page", "/slow"):
                    owner.over.wait(seconds)
                    self.answer(200, "text/html; charset=utf-8", PAGE.read_bytes())
                elif path == "/delay":
                    owner.over.wait(seconds)
                    self.answer(200, "text/plain", b"done")
                elif path == "/stream":
                    self.stream(seconds)
                else:
                    self.answer(404, "text/plain", b"")

            def do_POST(self):
                told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path == "/report":
                    go, owner.go = owner.go, None
                    self.answer(200, "application/json", json.dumps({"go": go}).encode())
                    owner.reports.put(told)
                else:
                    self.answer(204, "text/plain", b"")
                    owner.shown.put(told)

            def stream(self, seconds):
                self.send_response(200)
                self.send_header("Content-Type", "application/octet-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for part in range(3):
                    owner.over.wait(seconds if part else 0)
                    self.wfile.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
                    self.wfile.flush()
                self.wfile.write(b"0\r\n\r\n")

            def answer(self, status, kind, body):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a browser that goes away in the middle of an answer

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, query):
        return f"http://127.0.0.1:{self.server.server_port}/page?{query}&shown"

    def take(self, what, reports, limit):
        """The next of these reports."""
        try:
            return reports.get(timeout=limit)
        except queue.Empty:
            raise Failed(f"the page does not report {what} within {limit} s") from None

    def forget(self):
        for reports in (self.reports, self.shown):
            while not reports.empty():
                reports.get_nowait()

    def close(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


def steps_at(report):
    """The times of a report's steps as `time.monotonic` has them."""
    return [monotonic(one / 1000) for one in report["steps"]]


def monotonic(seconds):
    """A time of day, which is what applications know."""
    return seconds - time.time() + time.monotonic()
