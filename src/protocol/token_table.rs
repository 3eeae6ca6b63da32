//! Who holds which token: from a presented token to a principal.

use super::{identity::Principal, token::TokenHash};

/// One token of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The hash of the token.
    pub sha256: TokenHash,
    /// Who holds it and what it allows.
    pub principal: Principal,
}

/// All tokens that open the door. Several may be of one user, so that a token can be replaced while the old one still works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenTable {
    grants: Vec<Grant>,
}

impl TokenTable {
    /// A table of these.
    pub fn new(grants: Vec<Grant>) -> Self {
        Self { grants }
    }

    /// Who presents this token. Every entry is compared, whichever fits, so that the time taken depends on how many there are
    /// and not on the token.
    pub fn principal(&self, now: jiff::Timestamp, token: &[u8]) -> Option<Principal> {
        let presented = TokenHash::presented(token);
        let mut found = None;
        for grant in &self.grants {
            if grant.sha256.is(presented) && grant.principal.is_valid(now) {
                found = Some(&grant.principal);
            }
        }
        found.filter(|_| presented.is_some()).cloned()
    }

    /// Who holds the token with this hash, for whoever has shown it before. The hash is ours, so how long it takes tells nobody
    /// anything.
    pub fn holder(&self, now: jiff::Timestamp, sha256: TokenHash) -> Option<Principal> {
        let valid = self.grants.iter().filter(|grant| grant.principal.is_valid(now));
        valid.rev().find(|grant| grant.sha256 == sha256).map(|grant| grant.principal.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{
        identity::{Role, UserLimits, UserName},
        secret::SecretAccess,
    };

    fn grant(user: &str, token: &str, role: Role, expires: Option<&str>) -> Grant {
        let user = UserName::try_from(user.to_owned()).expect("a name");
        let expires = expires.map(|expires| expires.parse().expect("a moment"));
        let principal = Principal { user, role, secrets: SecretAccess::None, limits: UserLimits::default(), expires };
        Grant { sha256: TokenHash::of(token.as_bytes()), principal }
    }

    #[test]
    fn several_tokens_of_a_user_are_valid_at_once_and_each_only_until_it_expires() {
        let (old, new, other) = ("a".repeat(64), "b".repeat(64), "c".repeat(64));
        let table = TokenTable::new(vec![
            grant("ann", &old, Role::Control, Some("2026-12-01T00:00:00Z")),
            grant("ann", &new, Role::Control, None),
            grant("bob", &other, Role::Observe, None),
        ]);
        let who = |now: &str, token: &str| {
            let found = table.principal(now.parse().expect("a moment"), token.as_bytes());
            found.map(|principal| (principal.user.as_str().to_owned(), principal.role))
        };
        let (before, after) = ("2026-11-30T23:59:59Z", "2026-12-01T00:00:00Z");
        let ann = Some(("ann".to_owned(), Role::Control));
        assert_eq!(who(before, &old), ann);
        assert_eq!(who(before, &new), ann);
        assert_eq!(who(after, &old), None, "it has expired");
        assert_eq!(who(after, &new), ann);
        assert_eq!(who(after, &other), Some(("bob".to_owned(), Role::Observe)));
        let holder = |now: &str, token: &str| {
            table.holder(now.parse().expect("a moment"), TokenHash::of(token.as_bytes())).map(|found| found.role)
        };
        assert_eq!(holder(before, &old), Some(Role::Control));
        assert_eq!(holder(after, &old), None, "what was shown before counts only as long as the token does");
        assert_eq!(holder(after, &"d".repeat(64)), None);
        for wrong in [String::new(), "d".repeat(64), new[1..].to_owned(), format!("{new}b"), "\0".repeat(64)] {
            assert_eq!(who(before, &wrong), None, "{wrong:?}");
        }
    }
}
