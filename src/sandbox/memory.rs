//! Memory that the system keeps to itself: what is in it is not written to a swap device.

/// Keeps the pages that these bytes are on in memory, as long as what this returns is there.
///
/// # Errors
/// The system's; usually the limit on locked memory (`RLIMIT_MEMLOCK`).
pub fn keep(pages: &[u8]) -> Result<region::LockGuard, region::Error> {
    region::lock(pages.as_ptr(), pages.len())
}
