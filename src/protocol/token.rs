//! Tokens: the server keeps a hash, compares in constant time and never sees why a token is wrong.

use std::str::FromStr;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::limits::TOKEN_CHARACTERS;

/// The SHA-256 over a token's 64 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Hashes a token as it is presented.
    pub fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// The hash of what was presented as a token; `None` where it has another length than every token, which is public.
    pub fn presented(token: &[u8]) -> Option<Self> {
        (token.len() == TOKEN_CHARACTERS).then(|| Self::of(token))
    }

    /// Whether this is the token. What is compared is always 32 bytes, so the time taken says nothing about a wrong token.
    pub fn is(self, presented: Option<Self>) -> bool {
        let (right_length, presented) = (presented.is_some(), presented.unwrap_or(Self([0; 32])));
        bool::from(self.0.ct_eq(&presented.0)) && right_length
    }
}

impl std::fmt::Display for TokenHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl FromStr for TokenHash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        HEXLOWER.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or_else(|| {
            "a token's SHA-256 is 64 lower-case hexadecimal characters; `deskhand token new` prints it".into()
        })
    }
}

impl TryFrom<String> for TokenHash {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TokenHash> for String {
    fn from(hash: TokenHash) -> Self {
        hash.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_itself_is_admitted() {
        let token = "0123456789abcdef".repeat(4);
        let hash = TokenHash::of(token.as_bytes());
        assert!(hash.is(TokenHash::presented(token.as_bytes())));
        assert_eq!(hash.to_string().parse(), Ok(hash));
        let wrong =
            [String::new(), token[1..].to_owned(), format!("{token}0"), token.to_uppercase(), token.replace('0', "1")];
        for wrong in wrong {
            assert!(!hash.is(TokenHash::presented(wrong.as_bytes())), "{wrong}");
        }
    }

    #[test]
    fn a_hash_in_any_other_form_is_refused() {
        let hash = TokenHash::of(b"x").to_string();
        for wrong in [hash.to_uppercase(), hash[1..].to_owned(), format!("{hash} "), String::new()] {
            assert!(wrong.parse::<TokenHash>().is_err(), "{wrong:?}");
        }
    }
}
