//! Rows of a picture, filtered for PNG straight from BGRX, with the cursor drawn over them.
//!
//! Up and Sub are the filters that compilers vectorise on the baseline of x86-64; Paeth costs 0.8 ms more for a frame of
//! 1024×768 (measured; the figures are in `png.rs`).

use std::{io::Error, ops::Range};

use super::{
    cursor::{CursorImage, CursorPlace},
    pixels::{Pixels, bgrx_to_rgb},
};

/// Row filters (PNG specification, section 9.2): the byte that stands before a filtered row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Filter {
    /// The bytes as they are.
    None = 0,
    /// Less the pixel to the left.
    Sub = 1,
    /// Less the pixel above.
    Up = 2,
}

/// A row of which Up leaves less than a sixteenth is not tried with Sub as well: there is little to win, and most rows of a
/// desktop are like that.
const GOOD_ENOUGH: usize = 16;

/// What is drawn over the pixels.
pub(super) type Overlay<'a> = Option<(&'a CursorImage, CursorPlace)>;

/// What filtering needs while it goes down a picture: five rows of memory, used again.
#[derive(Debug, Default)]
pub(super) struct RowFilter {
    above: Vec<u8>,
    current: Vec<u8>,
    up: Vec<u8>,
    sub: Vec<u8>,
    /// A BGRX row with the cursor drawn over it.
    overlaid: Vec<u8>,
}

impl RowFilter {
    /// Gives these rows to `sink`, each with its filter's byte before it. The first one does without the row above it: what
    /// follows from here depends on these rows alone.
    pub(super) fn filtered(
        &mut self,
        pixels: &Pixels<'_>,
        rows: Range<usize>,
        overlay: Overlay<'_>,
        mut sink: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Self { above, current, up, sub, overlaid } = self;
        let row_bytes = usize::from(pixels.size().width) * 3;
        above.resize(row_bytes, 0);
        current.resize(row_bytes, 0);
        up.resize(row_bytes + 1, 0);
        sub.resize(row_bytes + 1, 0);
        let mut previous = None;
        let first = rows.start;
        for (number, row) in rows.clone().zip(pixels.rows_in(rows.clone())) {
            let drawn = with_cursor(row, number, overlay, overlaid);
            // Below a row with the cursor the plain row is not what was encoded above.
            let plain = drawn.is_none().then_some(row);
            if plain.is_some() && plain == previous {
                // A repeated row, as most of a page's background: all zero under Up, with nothing to convert.
                up.fill(0);
                up[0] = Filter::Up as u8;
                sink(up)?;
                continue;
            }
            previous = plain;
            bgrx_to_rgb(drawn.unwrap_or(row), current);
            let best = if number == first {
                filter_sub(current, sub);
                &*sub
            } else {
                filter_up(above, current, up);
                let left_over = nonzero(up);
                if left_over * GOOD_ENOUGH < row_bytes {
                    &*up
                } else {
                    filter_sub(current, sub);
                    if nonzero(sub) < left_over { &*sub } else { &*up }
                }
            };
            sink(best)?;
            std::mem::swap(above, current);
        }
        Ok(())
    }

    /// Gives these rows to `sink` as they are, each with the byte of no filter before it.
    pub(super) fn plain(
        &mut self,
        pixels: &Pixels<'_>,
        rows: Range<usize>,
        overlay: Overlay<'_>,
        mut sink: impl FnMut(&[u8]),
    ) {
        let Self { sub: plain, overlaid, .. } = self;
        plain.resize(usize::from(pixels.size().width) * 3 + 1, 0);
        plain[0] = Filter::None as u8;
        for (number, row) in rows.clone().zip(pixels.rows_in(rows)) {
            bgrx_to_rgb(with_cursor(row, number, overlay, overlaid).unwrap_or(row), &mut plain[1..]);
            sink(plain);
        }
    }
}

/// The row with the cursor over it; `None` where the cursor does not reach.
fn with_cursor<'a>(row: &[u8], number: usize, overlay: Overlay<'_>, overlaid: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    let y = i32::try_from(number).ok()?;
    let (image, place) = overlay.filter(|(image, place)| image.covers_row(*place, y))?;
    overlaid.clear();
    overlaid.extend_from_slice(row);
    image.blend_row(place, y, overlaid);
    Some(overlaid)
}

fn filter_up(above: &[u8], current: &[u8], filtered: &mut [u8]) {
    filtered[0] = Filter::Up as u8;
    for ((target, &byte), &above) in filtered[1..].iter_mut().zip(current).zip(above) {
        *target = byte.wrapping_sub(above);
    }
}

fn filter_sub(current: &[u8], filtered: &mut [u8]) {
    filtered[0] = Filter::Sub as u8;
    let (first, rest) = filtered[1..].split_at_mut(3);
    first.copy_from_slice(&current[..3]);
    for ((target, &byte), &left) in rest.iter_mut().zip(&current[3..]).zip(current) {
        *target = byte.wrapping_sub(left);
    }
}

/// How many bytes the compressor must spell out: zeros are what it is good at. The figure that decides between the filters
/// best, measured against the sum of absolute values.
fn nonzero(row: &[u8]) -> usize {
    // Blocks whose count fits a byte, so that sixteen counters stand in one vector register.
    row.chunks(255).map(|block| usize::from(block.iter().map(|&byte| u8::from(byte != 0)).sum::<u8>())).sum()
}
