//! What operators see of Deskhand.
pub mod audit;
pub mod egress_log;
pub mod logs;
pub mod metrics;
pub mod throttle;
pub mod usage_store;
