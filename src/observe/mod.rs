//! What operators see of Deskhand.
pub mod audit;
pub mod logs;
