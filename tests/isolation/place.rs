//! A place made of namespaces in which doctor looks around.

use std::{
    fmt,
    process::{Command, Stdio},
    thread,
};

use rustix::process::{Resource, geteuid, getrlimit};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};
use serde_json::Value;

/// Steps of the hardened place that a test may leave out.
pub const READ_ONLY: &str = "mount -o remount,bind,ro /";
pub const OWN_TMP: &str = "mount -t tmpfs -o nosuid,nodev none /tmp";
pub const FEW_FILES: &str = "ulimit -n 1024";
/// A socket where an engine has its own, with nobody behind it.
pub const ENGINE: &str = "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"/run/docker.sock\")'";

/// Listens and becomes the rest of the line, so that the socket is open for as long as that runs.
const LISTENER: &str = "import os, socket, sys
host, port = sys.argv[1], int(sys.argv[2])
family = socket.AF_INET6 if ':' in host else socket.AF_INET
listener = socket.create_server((host, port), family=family)
listener.set_inheritable(True)
os.execvp(sys.argv[3], sys.argv[3:])";

/// Whether namespaces can be made here at all; if not, says why.
pub fn can_make_places() -> bool {
    let made = geteuid().is_root()
        && Command::new("unshare")
            .args(["--mount", "--net", "--pid", "--fork", "true"])
            .status()
            .is_ok_and(|s| s.success());
    if !made {
        eprintln!("not tested: it takes root and CAP_SYS_ADMIN to make a place whose bounding set is empty");
    }
    made
}

/// Whether the tests run in the process namespace that the kernel has started with (`linux/proc_ns.h`).
pub fn is_on_the_machine_itself() -> bool {
    std::fs::read_link("/proc/self/ns/pid").is_ok_and(|link| link.as_os_str() == "pid:[4026531836]")
}

/// Whether a limit of open files is no more than doctor takes for one.
pub fn has_few_files_anyway() -> bool {
    getrlimit(Resource::Nofile).maximum.is_some_and(|most| most <= 8192)
}

/// How the place is made.
pub struct Place {
    namespaces: Vec<&'static str>,
    /// Lines of a shell that run as root in the new namespaces.
    steps: Vec<String>,
    /// How what is not needed is given up.
    given_up: Vec<&'static str>,
    filter: bool,
    variables: Vec<(String, String)>,
    listener: Option<(String, u16)>,
    groups: Vec<String>,
}

impl Place {
    /// One in which everything holds that takes no limits of a control group.
    pub fn hardened() -> Self {
        let hidden =
            ["/run", "/root", "/home"].map(|path| format!("mount -t tmpfs -o nosuid,nodev,mode=755 none {path}"));
        let others = [OWN_TMP, READ_ONLY, FEW_FILES, "ulimit -c 0"].map(str::to_owned);
        Self {
            namespaces: vec!["--mount", "--net", "--ipc", "--pid"],
            steps: hidden.into_iter().chain(others).collect(),
            given_up: vec![
                "--reuid=64021",
                "--regid=64021",
                "--clear-groups",
                "--inh-caps=-all",
                "--bounding-set=-all",
                "--no-new-privs",
            ],
            filter: true,
            variables: Vec::new(),
            listener: None,
            groups: Vec::new(),
        }
    }

    /// Leaves out one namespace, step or thing that is given up.
    #[must_use]
    pub fn without(mut self, part: &str) -> Self {
        let before = (self.namespaces.len(), self.steps.len(), self.given_up.len());
        self.namespaces.retain(|namespace| *namespace != part);
        self.steps.retain(|step| step != part);
        self.given_up.retain(|option| *option != part);
        assert_ne!(before, (self.namespaces.len(), self.steps.len(), self.given_up.len()), "there is no {part}");
        self
    }

    #[must_use]
    pub fn without_filter(mut self) -> Self {
        self.filter = false;
        self
    }

    /// Does something more, as root, at the end.
    #[must_use]
    pub fn with(mut self, step: &str) -> Self {
        self.steps.push(step.to_owned());
        self
    }

    /// Gives up something in another way, in two options that replace those of the same name.
    #[must_use]
    pub fn with_setpriv(mut self, first: &'static str, second: &'static str) -> Self {
        let name = |option: &'static str| option.split('=').next().unwrap_or(option);
        let replaced = [name(first), name(second)];
        let sets_user = replaced.contains(&"--ruid");
        self.given_up.retain(|option| !(replaced.contains(&name(option)) || sets_user && name(option) == "--reuid"));
        self.given_up.extend([first, second]);
        self
    }

    #[must_use]
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Somebody who takes connections while doctor looks.
    #[must_use]
    pub fn with_listener(mut self, host: &str, port: u16) -> Self {
        self.listener = Some((host.to_owned(), port));
        self
    }

    /// In these control groups, by their files `cgroup.procs`.
    #[must_use]
    pub fn in_groups(mut self, groups: Vec<String>) -> Self {
        self.groups = groups;
        self
    }

    /// What doctor finds.
    pub fn look(self) -> Report {
        let (code, output) = self.run(&["--json"]);
        Report::new(code, &output)
    }

    /// What it finds where these are no matter.
    pub fn look_allowing(self, properties: &str) -> Report {
        let (code, output) = self.run(&["--json", "--allow", properties]);
        Report::new(code, &output)
    }

    /// Doctor's exit code and output for a container.
    pub fn run(self, arguments: &[&str]) -> (i32, String) {
        self.run_as("--isolation", arguments)
    }

    /// The same for another tier.
    pub fn run_as(self, isolation: &str, arguments: &[&str]) -> (i32, String) {
        let filter = self.filter;
        let mut command = self.command(isolation, arguments);
        // A filter holds for a thread and what it starts.
        let look = move || {
            if filter {
                apply_filter(&allowing_everything()).unwrap();
            }
            command.stdin(Stdio::null()).output().unwrap()
        };
        let output = thread::spawn(look).join().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.is_empty(), "{errors}");
        (output.status.code().expect("an exit code"), String::from_utf8(output.stdout).unwrap())
    }

    fn command(self, isolation: &str, arguments: &[&str]) -> Command {
        let binary = env!("CARGO_BIN_EXE_deskhand");
        let joining = self.groups.iter().map(|group| format!("echo $$ >{group}"));
        // The sources may stand below what is hidden next.
        let moved = ["mount -t tmpfs none /mnt", "cp \"$0\" /mnt/deskhand", "mount -o remount,ro /mnt", "cd /"];
        let steps = joining.chain(moved.map(str::to_owned)).chain(self.steps);
        let mut script: Vec<String> = steps.collect();
        script.push("exec \"$@\"".to_owned());
        let mut command = Command::new("unshare");
        command.args(&self.namespaces).args(["--fork", "--kill-child"]);
        if self.namespaces.contains(&"--pid") {
            command.arg("--mount-proc");
        }
        command.args(["sh", "-euc", &script.join("\n"), binary]);
        if let Some((host, port)) = &self.listener {
            command.args(["python3", "-c", LISTENER, host, &port.to_string()]);
        }
        command.arg("setpriv").args(&self.given_up).args(["/mnt/deskhand", "doctor", isolation]).args(arguments);
        command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.envs(self.variables);
        command
    }
}

/// A filter that forbids nothing is one.
fn allowing_everything() -> BpfProgram {
    let architecture = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(
        // Something has to stand there: a call that no kernel has.
        [(i64::from(u16::MAX), Vec::new())].into(),
        SeccompAction::Allow,
        SeccompAction::Errno(38),
        architecture,
    );
    filter.unwrap().try_into().unwrap()
}

/// What doctor has found.
pub struct Report {
    pub code: i32,
    findings: Vec<Value>,
}

impl Report {
    pub fn new(code: i32, output: &str) -> Self {
        let findings = serde_json::from_str(output).unwrap_or_else(|error| panic!("{error} in {output}"));
        let report = Self { code, findings };
        let is_bad = report.findings.iter().any(|finding| finding["verdict"] == "bad");
        assert_eq!(code, i32::from(is_bad), "the exit code is about what is bad: {report}");
        report
    }

    /// The worst of a subject.
    pub fn verdict(&self, subject: &str) -> String {
        self.finding(subject)["verdict"].as_str().unwrap().to_owned()
    }

    pub fn found(&self, subject: &str) -> String {
        self.finding(subject)["found"].as_str().unwrap().to_owned()
    }

    pub fn remedy(&self, subject: &str) -> Option<String> {
        self.finding(subject)["remedy"].as_str().map(str::to_owned)
    }

    fn finding(&self, subject: &str) -> &Value {
        let worst = ["bad", "warning", "good"].into_iter().find_map(|verdict| {
            self.findings.iter().find(|finding| finding["subject"] == subject && finding["verdict"] == verdict)
        });
        worst.unwrap_or_else(|| panic!("nothing about {subject}: {self}"))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "ended with {}", self.code)?;
        for finding in &self.findings {
            writeln!(formatter, "{} {}: {}", finding["verdict"], finding["subject"], finding["found"])?;
        }
        Ok(())
    }
}
