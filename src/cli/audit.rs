//! `deskhand audit`: whether the records are whole, what they say now, and what a user did.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Seek as _, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    exit::{Exit, Fatal},
    observe::audit::{
        self,
        report::{self, Entry},
        verify::{self, Intact, VerifyError},
    },
    protocol::audit::Head,
};

/// How often a file is looked at for more. A person reads no faster.
const LOOK: Duration = Duration::from_millis(200);
/// How many of the last records `tail` begins with, as tail(1) does.
const LAST: usize = 10;

/// The verbs about the audit.
#[derive(Debug, clap::Subcommand)]
pub(super) enum AuditCommand {
    /// Check that no record was changed, removed, added or moved, and say where if one was.
    ///
    /// Earlier files beside FILE (FILE.NUMBER) belong to it and are checked first. What was cut off at the end is found only with
    /// --head, a head that was kept elsewhere: each answer of the server has one. Exits with 6 when something was changed.
    Verify {
        /// The file with the records.
        file: PathBuf,
        /// The key that the server was given with --audit-key.
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// A head that must be there.
        #[arg(long, value_name = "HEX")]
        head: Option<Head>,
    },
    /// Print the last records, a line each.
    Tail {
        /// Go on with those that come.
        #[arg(long, short)]
        follow: bool,
        /// The file with the records.
        file: PathBuf,
    },
    /// Say what a user did: tasks, methods, failures.
    Report {
        /// Whose records.
        #[arg(long)]
        user: String,
        /// The file with the records.
        file: PathBuf,
    },
}

/// Runs the verb.
pub(super) fn run(command: &AuditCommand) -> Result<Exit, Fatal> {
    match command {
        AuditCommand::Verify { file, key, head } => check(file, key.as_deref(), *head),
        AuditCommand::Tail { follow, file } => {
            tail(file, *follow).map(|()| Exit::Fine).or_else(|error| failed(file, &error))
        }
        AuditCommand::Report { user, file } => {
            let report = report::report(file, user).or_else(|error| failed(file, &error))?;
            print(&report.to_string())?;
            Ok(Exit::Fine)
        }
    }
}

fn check(file: &Path, key: Option<&Path>, head: Option<Head>) -> Result<Exit, Fatal> {
    let key = key.map(audit::read_key).transpose().map_err(Fatal::usage)?;
    match verify::verify(file, key.as_ref(), head) {
        Ok(intact) => {
            print(&describe(file, &intact, head))?;
            Ok(Exit::Fine)
        }
        Err(error @ (VerifyError::Changed(_) | VerifyError::Empty(_))) => {
            Err(Fatal::new(Exit::Audit, error.to_string()))
        }
        Err(error @ VerifyError::NeedsKey) => Err(Fatal::usage(error.to_string())),
        Err(error @ VerifyError::Read { .. }) => Err(Fatal::new(Exit::Failed, error.to_string())),
    }
}

fn describe(file: &Path, intact: &Intact, head: Option<Head>) -> String {
    let Intact { first, last, head: end, starts, files, keyed, after_head } = intact;
    let mut text =
        format!("{}: records {first} to {last}, {starts} starts, {files} files: intact\nhead {end}\n", file.display());
    if *first > 1 {
        text.push_str("earlier records are not here: they were removed by --audit-keep, or by somebody\n");
    }
    if let (Some(head), Some(after)) = (head, after_head) {
        let line = format!("the head {head} is there, {after} records before the end\n");
        text.push_str(&line);
    } else {
        text.push_str("whether the end was cut off, only a head that was kept elsewhere tells: --head\n");
    }
    if !keyed {
        text.push_str("without a key anybody could have made these heads; start the server with --audit-key\n");
    }
    text
}

fn tail(path: &Path, follow: bool) -> io::Result<()> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut last = std::collections::VecDeque::new();
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        if last.len() == LAST {
            last.pop_front();
        }
        last.push_back(std::mem::take(&mut line));
    }
    let mut output = io::stdout().lock();
    for line in last {
        show(&mut output, &line)?;
    }
    if !follow {
        return Ok(());
    }
    loop {
        // A line that is still being written stays in `line` until its end has come.
        if reader.read_line(&mut line)? > 0 {
            if line.ends_with('\n') {
                show(&mut output, &line)?;
                line.clear();
            }
            continue;
        }
        std::thread::sleep(LOOK);
        let read = reader.stream_position()?;
        let same = std::fs::metadata(path).is_ok_and(|now| {
            reader.get_ref().metadata().is_ok_and(|then| now.ino() == then.ino() && now.len() >= read)
        });
        if !same && let Ok(file) = File::open(path) {
            // The full file was put aside and another one begun.
            reader = BufReader::new(file);
        }
    }
}

fn show(output: &mut impl io::Write, line: &str) -> io::Result<()> {
    match serde_json::from_str::<Entry>(line) {
        Ok(entry) => writeln!(output, "{}", entry.line())?,
        Err(_) => writeln!(output, "? {}", serde_json::Value::from(line.trim_end()))?,
    }
    output.flush()
}

fn failed<T>(file: &Path, error: &io::Error) -> Result<T, Fatal> {
    Err(Fatal::new(Exit::Failed, format!("cannot read {}: {error}", file.display())))
}

fn print(text: &str) -> Result<(), Fatal> {
    let mut output = io::stdout().lock();
    output
        .write_all(text.as_bytes())
        .map_err(|error| Fatal::new(Exit::Failed, format!("cannot print the result: {error}")))
}
