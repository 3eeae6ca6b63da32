//! `deskhand doctor`: what works on a display, and what to do about the rest.

use std::io::{self, Write};

use serde::Serialize;

use crate::{
    config::{Surroundings, arguments::ServeArguments, attached_display},
    desktop::{
        Desktop,
        capture::{CursorOverlay, FrameRequest},
        connection::OpenError,
        door::Door,
        observer::{DisplayFacts, Focus},
        target::Target,
    },
    exit::{Exit, Fatal},
    protocol::display::DisplayNumber,
    sandbox,
};

/// The arguments of `deskhand doctor`.
#[derive(clap::Args, Clone, Debug)]
pub struct DoctorArguments {
    /// Display to check; DISPLAY when absent
    #[arg(long, value_name = ":N", env = "DESKHAND_DISPLAY")]
    display: Option<DisplayNumber>,
    /// File with the display's cookie; XAUTHORITY, then ~/.Xauthority when absent
    #[arg(long, value_name = "FILE", env = "DESKHAND_XAUTHORITY")]
    xauthority: Option<String>,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
    /// Check, instead of a display, which parts of the server's sandbox this machine offers
    #[arg(long)]
    isolation: bool,
}

/// How a finding is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// As it should be.
    Good,
    /// Works, with a loss that the finding names.
    Warning,
    /// Deskhand cannot work like this.
    Bad,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    verdict: Verdict,
    /// What was looked at.
    subject: &'static str,
    /// What was found.
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'static str>,
}

impl Finding {
    fn good(subject: &'static str, found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Good, subject, found: found.into(), remedy: None }
    }

    fn warning(subject: &'static str, found: impl Into<String>, remedy: &'static str) -> Self {
        Self { verdict: Verdict::Warning, subject, found: found.into(), remedy: Some(remedy) }
    }

    fn bad(subject: &'static str, found: impl Into<String>, remedy: &'static str) -> Self {
        Self { verdict: Verdict::Bad, subject, found: found.into(), remedy: Some(remedy) }
    }
}

/// What each extension is for, and what its absence means.
const EXTENSIONS: [(&str, Verdict, &str); 5] = [
    ("XTEST", Verdict::Bad, "without it nothing can be clicked or typed; start the X server with its XTEST extension"),
    ("XKEYBOARD", Verdict::Bad, "without it no key can be found; start the X server with its XKEYBOARD extension"),
    (
        "MIT-SHM",
        Verdict::Warning,
        "screenshots come through the socket, several times slower; enable it in the X server",
    ),
    ("XFIXES", Verdict::Warning, "the pointer cannot be drawn into pictures; enable it in the X server"),
    ("RANDR", Verdict::Warning, "changes of the screen's size are noticed late; enable it in the X server"),
];

/// Checks and reports.
pub(super) fn run(arguments: &DoctorArguments) -> Result<Exit, Fatal> {
    let findings = if arguments.isolation { isolation() } else { about_display(arguments)? };
    print(&findings, arguments.json).map_err(|error| Fatal::new(Exit::Failed, format!("cannot print: {error}")))?;
    let usable = findings.iter().all(|finding| finding.verdict != Verdict::Bad);
    Ok(if usable { Exit::Fine } else { Exit::Failed })
}

fn about_display(arguments: &DoctorArguments) -> Result<Vec<Finding>, Fatal> {
    let typed = ServeArguments {
        display: arguments.display,
        xauthority: arguments.xauthority.clone(),
        ..ServeArguments::default()
    };
    Ok(match attached_display(&typed, &Surroundings::capture()) {
        Ok((display, xauthority)) => examine(&Target { display, xauthority, expected_server: None })?,
        Err(fatal) => vec![Finding::bad("display", fatal.message, "export DISPLAY=:N, or name it with --display :N")],
    })
}

/// What `serve --sandbox` would find here.
fn isolation() -> Vec<Finding> {
    let filters = if sandbox::filters_are_offered() {
        Finding::good("seccomp", "the server can be confined to the system calls that it needs")
    } else {
        Finding::bad(
            "seccomp",
            "the kernel has no filters",
            "--sandbox=require refuses to start; use a kernel with CONFIG_SECCOMP_FILTER",
        )
    };
    let files = if sandbox::landlock_is_offered() {
        Finding::good("landlock", "the server can be confined to the files that it needs")
    } else {
        Finding::warning(
            "landlock",
            "the kernel has none, or the container forbids it",
            "the server could read what its user can; Linux 5.13 has it, with `landlock` among the boot option lsm=",
        )
    };
    vec![filters, files]
}

/// Opens the display as `serve` would and looks at everything that it needs.
fn examine(target: &Target) -> Result<Vec<Finding>, Fatal> {
    let desktop = match Desktop::open(target) {
        Ok(desktop) => desktop,
        Err(error) => {
            let remedy = match error {
                OpenError::NotThere { .. } => {
                    "start an X server there, or let deskhand start one: deskhand serve --xvfb 1024x768"
                }
                _ => "mend what the message names, then run doctor again",
            };
            return Ok(vec![Finding::bad("display", error.to_string(), remedy)]);
        }
    };
    let size = desktop.size();
    let mut findings =
        vec![Finding::good("display", format!("{} answers, {}x{}, depth 24", desktop.name(), size.width, size.height))];
    findings.push(permission(target, desktop.door()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| Fatal::internal(format!("cannot start the runtime: {error}")))?;
    match runtime.block_on(desktop.observer().facts()) {
        Ok(Ok(facts)) => findings.extend(about(&facts)),
        Ok(Err(error)) => {
            findings.push(Finding::bad("display", error.to_string(), "see whether its process is stopped"));
        }
        Err(_) => findings.push(Finding::bad("display", "the connection ended", "see why the X server ended")),
    }
    let captured = desktop.capture().with_frame(FrameRequest { cursor: CursorOverlay::Without }, |frame| {
        frame.map(|frame| frame.capture_time).map_err(|error| error.to_string())
    });
    findings.push(match runtime.block_on(captured) {
        Ok(Ok(time)) => Finding::good("screenshot", format!("captured in {:.2} ms", time.as_secs_f64() * 1e3)),
        Ok(Err(reason)) => Finding::bad("screenshot", reason, "run serve with DESKHAND_LOG=debug and see why"),
        Err(_) => Finding::bad("screenshot", "the capture failed", "run serve with DESKHAND_LOG=debug and see why"),
    });
    Ok(findings)
}

fn permission(target: &Target, door: Door) -> Finding {
    match &target.xauthority {
        _ if door != Door::Guarded => Finding::warning(
            "permission",
            format!("the display lets in {door}"),
            "start the X server with -auth FILE and without -ac, or close it with `xhost -` and `xhost -local:`",
        ),
        Some(path) => Finding::good("permission", format!("the cookie of {} was accepted", path.display())),
        None => Finding::warning(
            "permission",
            "the display let us in without a cookie",
            "every program of this machine that reaches its socket may do the same; start the X server with -auth",
        ),
    }
}

fn about(facts: &DisplayFacts) -> Vec<Finding> {
    let has = |name: &str| facts.extensions.iter().any(|known| known == name);
    let mut findings: Vec<_> = EXTENSIONS
        .into_iter()
        .map(|(name, verdict, remedy)| {
            if has(name) {
                Finding::good("extension", name)
            } else {
                Finding { verdict, subject: "extension", found: format!("{name} is missing"), remedy: Some(remedy) }
            }
        })
        .collect();
    findings.push(match &facts.window_manager {
        Some(name) => Finding::good("window manager", name.as_str()),
        None => Finding::warning(
            "window manager",
            "none has announced itself",
            "windows get no frames and keys go to the window under the pointer; start one, such as openbox",
        ),
    });
    findings.push(match &facts.focus {
        Focus::Window { title, .. } => Finding::good("focus", title.as_deref().unwrap_or("a window without a title")),
        Focus::PointerRoot => Finding::good("focus", "keys go to the window under the pointer"),
        Focus::None => Finding::warning("focus", "no window would receive keys", "click into a window before typing"),
    });
    findings
}

fn print(findings: &[Finding], json: bool) -> io::Result<()> {
    let mut output = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut output, findings)?;
        return output.write_all(b"\n");
    }
    for Finding { verdict, subject, found, remedy } in findings {
        let mark = match verdict {
            Verdict::Good => "good",
            Verdict::Warning => "warn",
            Verdict::Bad => "BAD ",
        };
        writeln!(output, "{mark}  {subject:<14}  {found}")?;
        if let Some(remedy) = remedy {
            writeln!(output, "      {:<14}  → {remedy}", "")?;
        }
    }
    Ok(())
}
