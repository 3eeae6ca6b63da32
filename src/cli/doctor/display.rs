//! What works on a display.

use super::{
    DoctorArguments,
    finding::{Finding, Verdict},
};
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
    exit::Fatal,
};

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

/// Looks at the display that is named, or says that none is.
pub(super) fn findings(arguments: &DoctorArguments) -> Result<Vec<Finding>, Fatal> {
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
                Finding::new(verdict, "extension", format!("{name} is missing"), remedy)
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
