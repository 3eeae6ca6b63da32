"""Pages in Chromium on a place, and what they report."""

import functools
import http.server
import json
import threading

from .frames import browser
from .place import ROOT, wait_for

SANDBOX_OFF = ("--no-sandbox", "--test-type")  # Chromium cannot sandbox itself as root; the second hides its banner about that


class Origin:
    """Serves a folder of pages on loopback and keeps what the page reports by POST /event: its state, and its events."""

    def __init__(self, folder=ROOT / "tests/pages"):
        self.state, self.events, self.changed = {}, [], threading.Condition()
        origin = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def do_POST(self):
                report = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with origin.changed:
                    origin.state = report["state"]
                    origin.events += report["events"]
                    origin.changed.notify_all()
                self.send_response(204)
                self.end_headers()

            def do_GET(self):
                if not self.path.startswith("/after/"):
                    return super().do_GET()
                # What a page waits for: an answer that takes so many milliseconds.
                threading.Event().wait(int(self.path.rpartition("/")[2].partition("?")[0]) / 1000)
                self.send_response(200)
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(b"done")

            def log_message(self, *_):
                pass

        handler = functools.partial(Handler, directory=str(folder))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, what, condition, limit):
        """Whether the state has come to be as wanted within so many seconds."""
        with self.changed:
            return self.changed.wait_for(lambda: self.state and condition(self.state), limit)

    def clear(self):
        with self.changed:
            self.events.clear()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def open_browser(place, origin, page):
    """A window of Chromium with a page, once it has drawn it."""
    home = place.folder / "chromium"
    command = [
        browser(), *SANDBOX_OFF, f"--user-data-dir={home}", "--no-first-run", "--no-default-browser-check", "--disable-gpu",
        "--disable-dev-shm-usage", "--disable-extensions", "--disable-sync", "--disable-background-networking",
        "--disable-component-update", "--disable-breakpad", "--disable-features=Translate,MediaRouter", "--password-store=basic",
        "--force-device-scale-factor=1", "--window-position=0,0", f"--window-size={place.width},{place.height}", f"--app={origin.url}{page}",
    ]  # fmt: skip
    process = place.start(command)
    wait_for(f"{page} in Chromium", lambda: origin.state.get("ready") or process.poll() is not None)
    return process
