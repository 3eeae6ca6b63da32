//! Who can use the files of a server here: those that the environment and the configuration name, and those that it makes.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::process::geteuid;

use super::{
    expectation::{Expected, Property},
    listed,
};
use crate::{
    cli::doctor::finding::{Finding, Verdict},
    config::{
        Surroundings,
        named_files::{Content, named_files},
    },
};

/// The permission bits that let anybody but the owner read or write.
const USED_BY_OTHERS: u32 = 0o077;
/// The same, but that a group may: Kubernetes gives the files of a secret to the group of the pod, and `serve` takes such a key.
const USED_BY_STRANGERS: u32 = 0o007;
const WRITTEN_BY_OTHERS: u32 = 0o022;
/// How the supervisor names the private directory of a server.
const PRIVATE_DIRECTORY: &str = "deskhand-";

/// So many good ones have a line each.
const FEW: usize = 3;

const REMEDY: &str = "chown it to the server's user and chmod 600 (a directory: 700)";

/// As much of a file as has to be known.
#[derive(Clone, Copy, Debug)]
struct Owned {
    user: u32,
    mode: u32,
}

pub(super) fn findings(expected: &Expected<'_>) -> Vec<Finding> {
    let us = geteuid().as_raw();
    let surroundings = Surroundings::capture();
    let mut files: Vec<(&'static str, Content, PathBuf)> = Vec::new();
    let mut findings = Vec::new();
    match named_files() {
        Ok(named) => files.extend(named.into_iter().map(|(content, path)| ("named", content, path))),
        Err(error) => {
            let found = format!("cannot tell: {}", error.message);
            findings.push(expected.lacks(Property::SecretFiles, found, "mend it, then run doctor again"));
        }
    }
    let parents = surroundings.runtime_directory.as_deref().into_iter().chain(["/tmp"]);
    // Others' servers are theirs.
    let is_ours = |path: &PathBuf| look(path).is_ok_and(|found| found.user == us);
    files.extend(parents.flat_map(private_directories).filter(is_ours).map(|path| ("made", Content::State, path)));
    let looked_at = files.iter().map(|(how, content, path)| (how, *content, path, look(path)));
    findings.extend(looked_at.map(|(how, content, path, looked)| match looked {
        Ok(owned) => judge(expected, us, how, content, path, owned),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            expected.holds(Property::SecretFiles, format!("{}: out of this user's reach", path.display()))
        }
        Err(error) => Finding::warning(
            Property::SecretFiles.name(),
            format!("{} is named and cannot be looked at: {error}", path.display()),
            "see whether the environment and the configuration name the right file",
        ),
    }));
    if findings.is_empty() {
        let found = "the environment names no file of a server, and none runs here";
        findings.push(expected.holds(Property::SecretFiles, found));
    }
    gathered(expected, findings)
}

/// Many good ones are told in one: a machine may have a directory of each server.
fn gathered(expected: &Expected<'_>, findings: Vec<Finding>) -> Vec<Finding> {
    let (good, mut others): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|finding| finding.verdict == Verdict::Good);
    if good.len() <= FEW {
        others.extend(good);
    } else {
        let found: Vec<String> = good.into_iter().map(|finding| finding.found).collect();
        let found = format!("{}, none of which others can use: {}", found.len(), listed(&found));
        others.push(expected.holds(Property::SecretFiles, found));
    }
    others
}

fn private_directories(parent: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    let is_one = |entry: &fs::DirEntry| {
        entry.file_name().to_string_lossy().starts_with(PRIVATE_DIRECTORY)
            && entry.file_type().is_ok_and(|kind| kind.is_dir())
    };
    entries.flatten().filter(is_one).map(|entry| entry.path()).collect()
}

fn look(path: &Path) -> io::Result<Owned> {
    fs::metadata(path).map(|found| Owned { user: found.uid(), mode: found.mode() & 0o7777 })
}

fn judge(expected: &Expected<'_>, us: u32, how: &str, content: Content, path: &Path, owned: Owned) -> Finding {
    let (path, Owned { user, mode }) = (path.display(), owned);
    let (what, refused) = match content {
        Content::Token => ("a token", USED_BY_OTHERS),
        Content::Tokens => ("hashes of tokens", USED_BY_OTHERS),
        Content::Audit => ("the audit", USED_BY_OTHERS),
        Content::AuditKey => ("the key of the audit", USED_BY_OTHERS),
        Content::TlsKey => ("the key of the certificate", USED_BY_STRANGERS),
        Content::State => ("a server's directory", USED_BY_OTHERS),
        Content::Cookie => ("the display's cookie", USED_BY_OTHERS),
        Content::Policy => ("the policy", WRITTEN_BY_OTHERS),
        Content::Config => ("the configuration", WRITTEN_BY_OTHERS),
        Content::SocketDirectory => ("the directory of the control socket", WRITTEN_BY_OTHERS),
    };
    let found = format!("{path}, {what}: mode {mode:04o}, owner {user}");
    if mode & refused != 0 {
        let can = if refused == WRITTEN_BY_OTHERS { "others can write it" } else { "others can use it" };
        return expected.lacks(Property::SecretFiles, format!("{found}; {can}"), REMEDY);
    }
    if user != us && user != 0 {
        let found = format!("{found}; neither root nor this user ({us})");
        return expected.lacks(Property::SecretFiles, found, REMEDY);
    }
    if content == Content::Token && how == "named" && user == us {
        return Finding {
            required: Some(expected.requires(Property::SecretFiles)),
            ..Finding::warning(
                Property::SecretFiles.name(),
                format!("{found}; every program of this user can read it"),
                "give the guest only the token's hash: --token-sha256, or hashes with --tokens",
            )
        };
    }
    expected.holds(Property::SecretFiles, found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::isolation::expectation::Tier;

    fn verdict(content: Content, user: u32, mode: u32) -> Verdict {
        let container = Expected::new(Tier::Container, &[]);
        judge(&container, 64021, "named", content, Path::new("/run/it"), Owned { user, mode }).verdict
    }

    #[test]
    fn the_key_of_a_certificate_may_be_its_groups_and_no_strangers() {
        assert_eq!(verdict(Content::TlsKey, 64021, 0o640), Verdict::Good);
        assert_eq!(verdict(Content::TlsKey, 64021, 0o604), Verdict::Bad);
    }

    #[test]
    fn what_others_can_use_is_bad() {
        for content in
            [Content::Token, Content::Tokens, Content::Audit, Content::AuditKey, Content::State, Content::Cookie]
        {
            for mode in [0o640, 0o604, 0o620, 0o601] {
                assert_eq!(verdict(content, 64021, mode), Verdict::Bad, "{content:?} {mode:o}");
            }
        }
        for content in [Content::Policy, Content::Config, Content::SocketDirectory] {
            assert_eq!(verdict(content, 0, 0o755), Verdict::Good, "{content:?}");
            assert_eq!(verdict(content, 0, 0o775), Verdict::Bad, "{content:?}");
            assert_eq!(verdict(content, 0, 0o1777), Verdict::Bad, "{content:?}");
        }
    }

    #[test]
    fn a_file_belongs_to_the_server_or_to_root() {
        assert_eq!(verdict(Content::Tokens, 64021, 0o600), Verdict::Good);
        assert_eq!(verdict(Content::Tokens, 0, 0o600), Verdict::Good);
        assert_eq!(verdict(Content::Tokens, 1000, 0o600), Verdict::Bad);
    }

    #[test]
    fn a_token_in_clear_is_read_by_every_program_of_its_user() {
        assert_eq!(verdict(Content::Token, 64021, 0o600), Verdict::Warning);
        assert_eq!(verdict(Content::Token, 0, 0o600), Verdict::Good);
    }

    #[test]
    fn many_good_ones_take_one_line_and_bad_ones_keep_theirs() {
        let container = Expected::new(Tier::Container, &[]);
        let good = |count| vec![container.holds(Property::SecretFiles, "/run/it"); count];
        assert_eq!(gathered(&container, good(FEW)).len(), FEW);
        let many = [good(FEW + 1), vec![container.lacks(Property::SecretFiles, "/run/other", "")]].concat();
        let verdicts: Vec<_> = gathered(&container, many).into_iter().map(|finding| finding.verdict).collect();
        assert_eq!(verdicts, [Verdict::Bad, Verdict::Good]);
    }

    #[test]
    fn private_directories_are_found_by_their_names() {
        let parent = tempfile::tempdir().unwrap();
        fs::create_dir(parent.path().join("deskhand-7")).unwrap();
        fs::create_dir(parent.path().join("other")).unwrap();
        fs::write(parent.path().join("deskhand-file"), "").unwrap();
        let found = private_directories(parent.path().to_str().unwrap());
        assert_eq!(found, [parent.path().join("deskhand-7")]);
        assert!(private_directories("/nonexistent").is_empty());
    }
}
