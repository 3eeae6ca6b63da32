//! A tiny HTTP server for the pages in `tests/pages`, which takes the pages' reports of every DOM event and of their state.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::PATIENCE;

/// One DOM event as the page reported it.
#[derive(Clone, Debug)]
pub struct PageEvent(pub Value);

impl PageEvent {
    pub fn kind(&self) -> &str {
        self.0["type"].as_str().unwrap_or_default()
    }

    /// The id of the element it went to.
    pub fn target(&self) -> &str {
        self.0["target"].as_str().unwrap_or_default()
    }

    /// Milliseconds since the epoch, with fractions.
    pub fn time(&self) -> f64 {
        self.0["time"].as_f64().unwrap_or_default()
    }
}

/// What has been reported so far.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub events: Vec<PageEvent>,
    /// The page's state at its last report; `null` before the first.
    pub state: Value,
}

impl Report {
    /// The events of one type on one element, in order.
    pub fn of<'a>(&'a self, kind: &'a str, target: &'a str) -> impl Iterator<Item = &'a PageEvent> {
        self.events.iter().filter(move |event| event.kind() == kind && event.target() == target)
    }

    /// The middle of an element in native screen coordinates.
    pub fn middle(&self, id: &str) -> [i64; 2] {
        let [x, y, width, height] = self.rectangle(id);
        [x + width / 2, y + height / 2]
    }

    /// An element's place on the screen: x, y, width, height.
    pub fn rectangle(&self, id: &str) -> [i64; 4] {
        let found = &self.state["rectangles"][id];
        [0, 1, 2, 3].map(|at| found[at].as_i64().unwrap_or_else(|| panic!("no element {id} in {}", self.state)))
    }
}

#[derive(Default)]
struct Shared {
    report: Mutex<Report>,
    changed: Condvar,
}

/// The server. It ends with the test's process; its threads hold nothing else.
pub struct Page {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Page {
    pub fn serve() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&for_thread);
                // A browser that goes away in the middle of a request is no failure.
                thread::spawn(move || answer(&stream, &shared).ok());
            }
        });
        Self { address, shared }
    }

    /// The address of a page, for example of `form.html`.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    /// Waits until `look` finds what it wants in the report.
    pub fn wait_for<T>(&self, what: &str, look: impl FnMut(&Report) -> Option<T>) -> T {
        self.wait_within(PATIENCE, look).unwrap_or_else(|| {
            let report = self.report();
            panic!("the page does not report {what}; its state is {:#} after {:#?}", report.state, report.events)
        })
    }

    /// The same for at most this long.
    pub fn wait_within<T>(&self, limit: Duration, mut look: impl FnMut(&Report) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + limit;
        let mut report = self.shared.report.lock().unwrap();
        loop {
            if let Some(found) = look(&report) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            report = self.shared.changed.wait_timeout(report, left).unwrap().0;
        }
    }

    /// Waits until the page has been presented and has the keyboard's attention. Before that Chromium drops clicks and keys.
    pub fn wait_until_ready(&self) {
        self.wait_for("that it is presented and focused", |report| {
            (report.state["ready"] == true && report.state["has_focus"] == true).then_some(())
        });
    }

    /// A copy of all that was reported.
    pub fn report(&self) -> Report {
        self.shared.report.lock().unwrap().clone()
    }

    /// Forgets the events, not the state.
    pub fn forget_events(&self) {
        self.shared.report.lock().unwrap().events.clear();
    }
}

fn answer(stream: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line.trim().is_empty() {
            break;
        }
        head.push(line);
    }
    let length = head
        .iter()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, value)| value.trim().parse().unwrap_or(0));
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut words = head.first().map_or("", String::as_str).split_whitespace();
    let (status, kind, content) = match (words.next(), words.next()) {
        (Some("POST"), Some("/event")) => {
            take(&body, shared);
            ("204 No Content", "text/plain", Vec::new())
        }
        (Some("GET"), Some(path)) => file(path),
        _ => ("405 Method Not Allowed", "text/plain", Vec::new()),
    };
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
        content.len()
    )?;
    stream.write_all(&content)?;
    stream.shutdown(Shutdown::Write)
}

fn take(body: &[u8], shared: &Shared) {
    let mut posted: Value = serde_json::from_slice(body).expect("the page posts JSON");
    let mut report = shared.report.lock().unwrap();
    report.state = posted["state"].take();
    if let Value::Array(events) = posted["events"].take() {
        report.events.extend(events.into_iter().map(PageEvent));
    }
    shared.changed.notify_all();
}

fn file(path: &str) -> (&'static str, &'static str, Vec<u8>) {
    let name = path.trim_start_matches('/').split('?').next().unwrap_or_default();
    let kind = if Path::new(name).extension().is_some_and(|extension| extension == "js") {
        "text/javascript"
    } else {
        "text/html; charset=utf-8"
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages");
    // One folder, no subfolders: a name with a slash is not one of ours.
    match (!name.contains('/')).then(|| fs::read(folder.join(name))) {
        Some(Ok(content)) => ("200 OK", kind, content),
        _ => ("404 Not Found", "text/plain", Vec::new()),
    }
}
