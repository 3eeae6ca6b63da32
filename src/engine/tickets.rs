//! Tickets for pages: random numbers and the clock for [`crate::session::tickets`].

use std::time::Instant;

use data_encoding::HEXLOWER;

use super::state::Engine;
use crate::protocol::{
    error::{ErrorKind, Failure},
    identity::Principal,
    limits::TOKEN_CHARACTERS,
    token::TokenHash,
};

/// A new ticket of whoever has this token; `None` when nobody has it.
///
/// # Errors
/// `internal` when the system has no random numbers.
pub fn issue(engine: &Engine, token: &[u8]) -> Result<Option<String>, Failure> {
    if engine.principal(token).is_none() {
        return Ok(None);
    }
    let mut bits = [0; TOKEN_CHARACTERS / 2];
    getrandom::fill(&mut bits)
        .map_err(|_| Failure::new(ErrorKind::Internal, "the operating system gives no random bits for a ticket"))?;
    let ticket = HEXLOWER.encode(&bits);
    engine.tickets().issue(Instant::now(), TokenHash::of(ticket.as_bytes()), TokenHash::of(token));
    Ok(Some(ticket))
}

/// Who has this ticket, which is used up by that. The token that was exchanged for it must still open the door, and what it allows
/// now is what counts.
pub fn redeem(engine: &Engine, ticket: &[u8]) -> Option<Principal> {
    let token = engine.tickets().redeem(Instant::now(), ticket)?;
    engine.holder(token)
}
