//! What confines this process from outside, a container or a virtual machine, as the kernel's texts tell it: the counterpart
//! of what the server gives up by itself.
//!
//! Pure: a text of `/proc` in, facts out. Who reads the files and what to think of the facts is `cli/doctor/isolation`.

pub mod control_groups;
pub mod id_map;
pub mod mounts;
pub mod network;
pub mod status;
