//! What operators see of Deskhand.
pub mod audit;
pub mod logs;
pub mod usage_store;
