//! How an X server introduces itself, for tests that are one. `tests/fuzzing` has it, too.

use x11rb::{
    protocol::xproto::{Depth, Format, ImageOrder, Screen, Setup, VisualClass, Visualtype},
    x11_utils::Serialize as _,
};

/// A setup that we take: 1024×768, depth 24.
pub(super) fn setup() -> Setup {
    let visual = Visualtype {
        visual_id: 0x21,
        class: VisualClass::TRUE_COLOR,
        bits_per_rgb_value: 8,
        colormap_entries: 256,
        red_mask: 0x00ff_0000,
        green_mask: 0x0000_ff00,
        blue_mask: 0x0000_00ff,
    };
    let screen = Screen {
        root: 0x111,
        width_in_pixels: 1024,
        height_in_pixels: 768,
        root_visual: 0x21,
        root_depth: 24,
        allowed_depths: vec![Depth { depth: 24, visuals: vec![visual] }],
        ..Screen::default()
    };
    Setup {
        status: 1,
        protocol_major_version: 11,
        resource_id_base: 0x0020_0000,
        resource_id_mask: 0x001f_ffff,
        maximum_request_length: u16::MAX,
        image_byte_order: ImageOrder::LSB_FIRST,
        pixmap_formats: vec![Format { depth: 24, bits_per_pixel: 32, scanline_pad: 32 }],
        min_keycode: 8,
        max_keycode: 255,
        roots: vec![screen],
        ..Setup::default()
    }
}

/// Its bytes, with the length that they have.
pub(super) fn introduction(setup: &Setup) -> Vec<u8> {
    let mut introduction = setup.serialize();
    let length = u16::try_from((introduction.len() - 8) / 4).unwrap();
    introduction[6..8].copy_from_slice(&length.to_ne_bytes());
    introduction
}
