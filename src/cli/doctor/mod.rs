//! `deskhand doctor`: what works on a display, or what holds around this process, and what to do about the rest.

mod display;
mod finding;
mod isolation;

use std::io::{self, Write};

use crate::{
    exit::{Exit, Fatal},
    protocol::display::DisplayNumber,
};
use finding::{Finding, Verdict};
use isolation::expectation::{Expected, Property, Tier};

/// The arguments of `deskhand doctor`.
#[derive(clap::Args, Clone, Debug)]
#[command(after_long_help = EXAMPLES)]
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
    /// Check, instead of a display, what isolates this process from its machine and what dangers it can reach; run it as the server
    /// runs: in its container, as its user. Ends with 1 where a property is missing that TIER requires
    #[arg(
        long,
        value_name = "TIER",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "container"
    )]
    isolation: Option<Tier>,
    /// With --isolation: be content without this property, such as `network` where a guest has one on purpose; may be repeated
    #[arg(long, value_name = "PROPERTY", value_delimiter = ',', requires = "isolation")]
    allow: Vec<Property>,
}

const EXAMPLES: &str = "\
Examples:
  deskhand doctor                                       the display of DISPLAY
  docker exec DESKTOP deskhand doctor --isolation       whether a container is as hardened as it should be
  deskhand doctor --isolation=vm --allow network        in a virtual machine whose network leads to a proxy only
  deskhand doctor --isolation --json                    the same as an array of objects";

/// Checks and reports.
pub(super) fn run(arguments: &DoctorArguments) -> Result<Exit, Fatal> {
    let expected = arguments.isolation.map(|tier| Expected::new(tier, &arguments.allow));
    let findings = match &expected {
        Some(expected) => isolation::findings(expected),
        None => display::findings(arguments)?,
    };
    let printed = match &expected {
        _ if arguments.json => print_json(&findings),
        Some(expected) => isolation::report::print(&mut io::stdout().lock(), expected, &findings),
        None => print(&findings),
    };
    printed.map_err(|error| Fatal::new(Exit::Failed, format!("cannot print: {error}")))?;
    let usable = findings.iter().all(|finding| finding.verdict != Verdict::Bad);
    Ok(if usable { Exit::Fine } else { Exit::Failed })
}

fn print_json(findings: &[Finding]) -> io::Result<()> {
    let mut output = io::stdout().lock();
    serde_json::to_writer_pretty(&mut output, findings)?;
    output.write_all(b"\n")
}

fn print(findings: &[Finding]) -> io::Result<()> {
    let mut output = io::stdout().lock();
    for Finding { verdict, subject, found, remedy, .. } in findings {
        writeln!(output, "{}  {subject:<14}  {found}", mark(*verdict))?;
        if let Some(remedy) = remedy {
            writeln!(output, "      {:<14}  → {remedy}", "")?;
        }
    }
    Ok(())
}

/// A verdict at the beginning of a line.
const fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good => "good",
        Verdict::Warning => "warn",
        Verdict::Bad => "BAD ",
    }
}
