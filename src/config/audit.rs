//! Whether and where what is done is recorded.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{absolute, arguments::ServeArguments};
use crate::{
    exit::Fatal,
    protocol::{
        address::ListenAddress,
        audit::{AuditDetails, AuditMode},
    },
};

/// From this size on another file is begun: some 150,000 records, which a person can still open.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// A smaller file would be full with one batch.
const LEAST_BYTES: u64 = 64 * 1024;

/// How it is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditSettings {
    /// Where.
    pub target: AuditTarget,
    /// What happens when that fails.
    pub mode: AuditMode,
    /// How much.
    pub details: AuditDetails,
    /// The file with the key.
    pub key: Option<PathBuf>,
    /// From this size on another file is begun.
    pub max_bytes: u64,
    /// How many full files are kept; all without a number.
    pub keep: Option<usize>,
}

/// Where it is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditTarget {
    /// In this file.
    File(PathBuf),
    /// On standard output, behind the ready line.
    Stdout,
    /// In the system's log.
    Syslog,
}

/// What was typed about the audit.
pub(super) fn choose(typed: &ServeArguments, listen: &[ListenAddress]) -> Result<Option<AuditSettings>, Fatal> {
    let Some(target) = &typed.audit else {
        let lonely = [
            ("audit-mode", typed.audit_mode.is_some()),
            ("audit-key", typed.audit_key.is_some()),
            ("audit-details", typed.audit_details.is_some()),
            ("audit-max-bytes", typed.audit_max_bytes.is_some()),
            ("audit-keep", typed.audit_keep.is_some()),
        ];
        return match lonely.into_iter().find(|(_, given)| *given) {
            // Whoever gives a key believes that there is a record.
            Some((name, _)) => {
                Err(Fatal::usage(format!("{name} is given and nothing is recorded; name a file with --audit FILE")))
            }
            None => Ok(None),
        };
    };
    let target = match target.as_str() {
        "stdout" if listen.contains(&ListenAddress::Stdio) => {
            return Err(Fatal::usage(
                "audit = stdout and listen = stdio both need standard output; give the audit a file",
            ));
        }
        "stdout" => AuditTarget::Stdout,
        "syslog" => AuditTarget::Syslog,
        path => AuditTarget::File(absolute(path)?),
    };
    let max_bytes = typed.audit_max_bytes.unwrap_or(MAX_BYTES);
    if max_bytes < LEAST_BYTES {
        return Err(Fatal::usage(format!(
            "audit-max-bytes = {max_bytes} is less than {LEAST_BYTES}; a batch would fill it"
        )));
    }
    Ok(Some(AuditSettings {
        target,
        mode: typed.audit_mode.unwrap_or_default(),
        details: typed.audit_details.unwrap_or_default(),
        key: typed.audit_key.as_deref().map(absolute).transpose()?,
        max_bytes,
        keep: typed.audit_keep,
    }))
}
