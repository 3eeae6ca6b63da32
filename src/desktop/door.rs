//! Whom the X server lets in without its cookie: whoever gets in sees every window and types into each, as we do.

use x11rb::protocol::xproto::{AccessControl, ConnectionExt as _, Family, Host};

use super::{
    connection::{Link, LinkError, OPERATION_TIME, OpenError},
    target::Target,
};

/// How the server's interpreted addresses begin that name a user or a group of this machine (`Xsecurity(7)`).
const NAMED: [&[u8]; 2] = [b"localuser\0", b"localgroup\0"];

/// Whom the X server lets in besides those who know its cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Nobody, or users who are named.
    Guarded,
    /// Every user of some machine: this one (`xhost +local:`, an Xvfb without `-auth`) or another.
    OpenToMachines,
    /// Everybody (`-ac`, `xhost +`).
    Open,
}

/// What becomes of a display that lets others in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unguarded {
    /// It is opened.
    Taken,
    /// It is not.
    Refused,
}

impl Door {
    /// Asks a server that somebody else has started; ours has a cookie from its start.
    ///
    /// # Errors
    /// It did not answer.
    pub(super) fn of(link: &Link, target: &Target) -> Result<Self, OpenError> {
        if target.expected_server.is_some() {
            return Ok(Self::Guarded);
        }
        let deadline = link.within(OPERATION_TIME);
        let reply = link.reply(link.connection.list_hosts()).map_err(LinkError::of_open)?;
        drop(deadline);
        let listed = Self::judge(reply.mode, &reply.hosts);
        // A server without -auth lets in all of this machine and lists nobody (measured). Where users are named we may be one.
        if listed == Self::Guarded && reply.hosts.is_empty() && lets_us_in_without_a_cookie(target)? {
            return Ok(Self::OpenToMachines);
        }
        Ok(listed)
    }

    fn judge(control: AccessControl, hosts: &[Host]) -> Self {
        let names_a_user = |host: &Host| {
            host.family == Family::SERVER_INTERPRETED && NAMED.iter().any(|kind| host.address.starts_with(kind))
        };
        if control != AccessControl::ENABLE {
            Self::Open
        } else if hosts.iter().all(names_a_user) {
            Self::Guarded
        } else {
            Self::OpenToMachines
        }
    }
}

fn lets_us_in_without_a_cookie(target: &Target) -> Result<bool, OpenError> {
    if target.xauthority.is_none() {
        // So it has just done.
        return Ok(true);
    }
    match Link::open(&Target { xauthority: None, ..target.clone() }, OPERATION_TIME) {
        Ok(_) => Ok(true),
        Err(OpenError::Refused { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

impl std::fmt::Display for Door {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Guarded => "whoever has its cookie, and users who are named",
            Self::OpenToMachines => "every user of this machine or of others, without its cookie",
            Self::Open => "everybody, without its cookie",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_is_guarded_where_only_users_are_named() {
        let interpreted =
            |text: &str| Host { family: Family::SERVER_INTERPRETED, address: text.replace(':', "\0").into_bytes() };
        let (user, group) = (interpreted("localuser:ann"), interpreted("localgroup:staff"));
        // `FamilyLocalHost` (X11/X.h has it as 252) is what `xhost +local:` adds.
        let local = Host { family: Family::from(252), address: Vec::new() };
        let address = Host { family: Family::INTERNET, address: vec![127, 0, 0, 1] };
        for (control, hosts, door) in [
            (AccessControl::ENABLE, vec![], Door::Guarded),
            (AccessControl::ENABLE, vec![user.clone(), group], Door::Guarded),
            (AccessControl::ENABLE, vec![user.clone(), local], Door::OpenToMachines),
            (AccessControl::ENABLE, vec![address], Door::OpenToMachines),
            (AccessControl::ENABLE, vec![interpreted("hostname:desk")], Door::OpenToMachines),
            (AccessControl::ENABLE, vec![interpreted("localusers:ann")], Door::OpenToMachines),
            (AccessControl::DISABLE, vec![], Door::Open),
            (AccessControl::DISABLE, vec![user], Door::Open),
        ] {
            assert_eq!(Door::judge(control, &hosts), door, "{control:?} {hosts:?}");
        }
    }
}
