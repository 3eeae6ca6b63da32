"""Browsers with a page that reports what it holds."""

import http.server
import json
import threading
import time

from applications import ARRIVAL, WHOLE, Application
from desktop import PATIENCE, ROOT, Failed, wait_for

PAGE = ROOT / "tests/apps/page.html"


class PageServer:
    """Serves page.html and keeps its last report."""

    def __init__(self):
        self.state, self.changed = {}, threading.Condition()
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                found = self.path.startswith("/page.html")
                body = PAGE.read_bytes() if found else b""
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                state = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(204)
                self.end_headers()
                with owner.changed:
                    owner.state = state
                    owner.changed.notify_all()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, kind):
        return f"http://127.0.0.1:{self.server.server_port}/page.html?{kind}"

    def wait(self, what, condition, limit):
        with self.changed:
            if not self.changed.wait_for(lambda: self.state and condition(self.state), limit):
                raise Failed(f"the page does not report {what}; it holds {self.state.get('text', '')[-80:]!r}")
            return self.state


class Browser(Application):
    kind = "textarea"


    def start(self):
        self.page = PageServer()
        return self.desktop.start(self.arguments(self.page.url(self.kind)), home=self.folder)

    def wait_until_ready(self):
        self.page.wait("that it is shown", lambda state: state["ready"], 60)
        # Some starts lose the first keys after that, so it is ready when one has arrived.
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            self.desk("left_click", coordinate=self.place())
            self.desk("type", text="ready")
            try:
                self.page.wait("what was typed", lambda state: state["text"].endswith("ready"), 2)
                return self.begin()
            except Failed:
                continue
        raise Failed(f"nothing that is typed reaches {self.name}")

    def begin(self):
        self.clear()
        # A field that is empty reports nothing new.
        if self.page.state.get("text"):
            self.page.wait("that it is empty", lambda state: not state["text"].strip("\n"), ARRIVAL)

    def wait_until_holds(self, text):
        self.page.wait("the text", lambda state: state["text"] == text, PATIENCE)

    def received(self, wanted):
        at = None
        try:
            at = self.page.wait("the text", lambda state: state["text"] == wanted, WHOLE)["last"] / 1000
        except Failed:
            pass
        mark = self.next_mark()
        self.desk("type", text=mark)
        try:
            text = self.page.wait("the mark", lambda state: state["text"].endswith(mark), ARRIVAL)["text"]
        except Failed:
            return self.page.state["text"], None
        return text.removesuffix(mark), at

    def pad(self):
        """A place whose clicks the page reports."""
        x, y, width, height = self.desktop.windows.place(self.window)
        return [x + width - 60, y + height - 60]


class Chromium(Browser):
    name, window_class, packages = "Chromium textarea", "chromium", ("chromium",)

    def arguments(self, url):
        return [
            "chromium", "--no-sandbox", "--test-type", "--no-first-run", "--no-default-browser-check", "--disable-gpu",
            "--disable-dev-shm-usage", "--disable-extensions", "--disable-sync", "--disable-background-networking",
            "--disable-component-update", "--disable-breakpad", "--password-store=basic", "--disable-smooth-scrolling",
            "--disable-features=Translate,MediaRouter", "--force-device-scale-factor=1", "--window-position=0,0",
            "--window-size=900,740", f"--user-data-dir={self.folder}", url,
        ]  # fmt: skip


class ChromiumEditable(Chromium):
    name, kind = "Chromium contenteditable", "editable"


class Firefox(Browser):
    name, window_class, packages = "Firefox textarea", "firefox", ("firefox-esr",)

    PREFERENCES = {
        "browser.aboutwelcome.enabled": False,
        "browser.preonboarding.enabled": False,
        "browser.shell.checkDefaultBrowser": False,
        "browser.startup.homepage_override.mstone": "ignore",
        "browser.sessionstore.resume_from_crash": False,
        "browser.translations.enable": False,
        "datareporting.policy.dataSubmissionEnabled": False,
        "datareporting.policy.dataSubmissionPolicyBypassNotification": True,
        "termsofuse.bypassNotification": True,
        "toolkit.telemetry.reportingpolicy.firstRun": False,
        "general.smoothScroll": False,
        "app.normandy.enabled": False,
        "network.captive-portal-service.enabled": False,
        "network.connectivity-service.enabled": False,
    }

    def arguments(self, url):
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in self.PREFERENCES.items()]
        (self.folder / "user.js").write_text("\n".join(lines) + "\n")
        return ["firefox-esr", "--no-remote", "--profile", self.folder, "--width", "900", "--height", "700", url]
