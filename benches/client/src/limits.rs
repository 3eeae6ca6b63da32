//! The least that any executor has to do for a picture: take the screen through shared memory, compare it, encode it.

use std::{ops::Range, os::fd::OwnedFd, ptr::NonNull};

use rustix::{
    fs::{MemfdFlags, ftruncate, memfd_create},
    mm::{MapFlags, ProtFlags, mmap, munmap},
};
use x11rb::{
    connection::{Connection as _, RequestConnection as _},
    protocol::{
        shm::{self, ConnectionExt as _},
        xproto::{ConnectionExt as _, ImageFormat},
    },
    rust_connection::RustConnection,
};

use crate::{Failure, screen::Display};

/// The X server's copy of the screen, in memory that both map.
struct Shared {
    start: NonNull<u8>,
    length: usize,
    /// Kept for as long as the server may attach it.
    _descriptor: OwnedFd,
}

impl Shared {
    #[allow(unsafe_code, reason = "shared memory is a pointer and a length")]
    fn new(descriptor: OwnedFd, length: usize) -> Result<Self, Failure> {
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: a new mapping at an address that the kernel chooses, of a descriptor that is so long.
        let start = unsafe { mmap(std::ptr::null_mut(), length, protection, flags, &descriptor, 0)? };
        Ok(Self { start: NonNull::new(start.cast()).ok_or("no mapping")?, length, _descriptor: descriptor })
    }

    #[allow(unsafe_code, reason = "shared memory is a pointer and a length")]
    fn copy_to(&self, target: &mut [u8], range: Range<usize>) {
        assert!(range.end <= self.length && range.len() == target.len());
        // SAFETY: within the mapping, which lives as long as `self`; the server writes to it only between our requests and
        // their replies, and this is called after the reply.
        unsafe {
            std::ptr::copy_nonoverlapping(self.start.as_ptr().add(range.start), target.as_mut_ptr(), range.len());
        };
    }
}

impl Drop for Shared {
    #[allow(unsafe_code, reason = "shared memory is a pointer and a length")]
    fn drop(&mut self) {
        // SAFETY: the mapping that `new` made; nothing borrows from it.
        unsafe { munmap(self.start.as_ptr().cast(), self.length) }.ok();
    }
}

/// Takes pictures.
pub struct Limits {
    connection: RustConnection,
    root: u32,
    segment: u32,
    shared: Shared,
    width: u16,
    height: u16,
    frame: Vec<u8>,
    before: Vec<u8>,
}

impl Limits {
    /// Connects and shares memory for one frame.
    pub fn attach(display: &Display) -> Result<Self, Failure> {
        let connection = display.connect()?;
        connection.extension_information(shm::X11_EXTENSION_NAME)?.ok_or("the X server has no MIT-SHM")?;
        let root = connection.setup().roots[0].root;
        let geometry = connection.get_geometry(root)?.reply()?;
        let length = usize::from(geometry.width) * usize::from(geometry.height) * 4;
        let descriptor = memfd_create("bench-frame", MemfdFlags::CLOEXEC)?;
        ftruncate(&descriptor, length.try_into()?)?;
        let shared = Shared::new(descriptor.try_clone()?, length)?;
        let segment = connection.generate_id()?;
        connection.shm_attach_fd(segment, descriptor, false)?.check()?;
        let (frame, before) = (vec![0; length], vec![0; length]);
        Ok(Self { connection, root, segment, shared, width: geometry.width, height: geometry.height, frame, before })
    }

    /// One copy of the screen in memory of our own; where asked for, compared with the one before. Returns its length.
    pub fn capture(&mut self, compare: bool) -> Result<usize, Failure> {
        let format = u8::from(ImageFormat::Z_PIXMAP);
        let (root, segment) = (self.root, self.segment);
        self.connection.shm_get_image(root, 0, 0, self.width, self.height, !0, format, segment, 0)?.reply()?;
        let length = self.frame.len();
        self.shared.copy_to(&mut self.frame, 0..length);
        if compare {
            std::hint::black_box(self.frame == self.before);
            std::mem::swap(&mut self.frame, &mut self.before);
        }
        Ok(length)
    }

    /// The frame that was captured last as a PNG of the png crate's fastest preset. Returns the PNG's length.
    pub fn encode(&mut self) -> Result<usize, Failure> {
        let mut pixels = vec![0; self.frame.len() / 4 * 3];
        for (target, pixel) in pixels.chunks_exact_mut(3).zip(self.frame.chunks_exact(4)) {
            target.copy_from_slice(&[pixel[2], pixel[1], pixel[0]]);
        }
        let mut output = Vec::new();
        let mut encoder = png::Encoder::new(&mut output, self.width.into(), self.height.into());
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_compression(png::Compression::Fastest);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&pixels)?;
        writer.finish()?;
        Ok(output.len())
    }
}
