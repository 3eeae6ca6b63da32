//! Rows of a picture as they stand in a PNG: from BGRX, with the cursor drawn over them, as they are and filtered.

use std::ops::Range;

use super::{
    cursor::{CursorImage, CursorPlace},
    pixels::{Pixels, bgrx_to_rgb},
    tiles::TILE_HEIGHT,
};
use crate::protocol::encoding::Preset;

/// Row filters (PNG specification, section 9.2): the byte that stands before a row.
///
/// Text, lines and flat areas compress best as they are: a letter's pixels stand in the rows twice, their differences from whatever
/// is around them do not. Photographs and gradients compress well by Paeth. The best filter for each row is no better on a photograph
/// that was scaled, 7 % on one with a sensor's noise, and takes as long again to find, so the compact preset looks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Filter {
    /// The bytes as they are.
    None = 0,
    /// Less the pixel to the left.
    Sub = 1,
    /// Less the pixel above.
    Up = 2,
    /// Less the mean of both.
    Average = 3,
    /// Less what left, above and above left make likely.
    Paeth = 4,
}

/// What some rows mostly show, which decides how they are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Text, lines, flat areas: pixels repeat.
    Drawn,
    /// Photographs and gradients: pixels are near their neighbours.
    Smooth,
}

/// A difference of up to this counts as near.
const NEAR: u8 = 8;

/// What is drawn over the pixels.
pub(super) type Overlay<'a> = Option<(&'a CursorImage, CursorPlace)>;

/// Some rows of a picture, ready for the compressor; the memory is used again.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Each row with the byte of no filter before it.
    plain: Vec<u8>,
    /// The same rows filtered, where they were asked for.
    filtered: Vec<u8>,
    /// Of a row, its first byte included.
    row_bytes: usize,
    /// A row by another filter.
    candidate: Vec<u8>,
    /// A BGRX row with the cursor drawn over it.
    overlaid: Vec<u8>,
}

impl Rows {
    /// Takes these rows of a picture.
    pub(super) fn take(&mut self, pixels: &Pixels<'_>, rows: Range<usize>, overlay: Overlay<'_>) {
        let Self { plain, row_bytes, overlaid, .. } = self;
        *row_bytes = usize::from(pixels.size().width) * 3 + 1;
        plain.resize(*row_bytes * rows.len(), 0);
        let mut previous = None;
        let mut start = 0;
        for (number, row) in rows.clone().zip(pixels.rows_in(rows)) {
            let drawn = with_cursor(row, number, overlay, overlaid);
            // Below a row with the cursor the plain row is not what stands above.
            let unchanged = drawn.is_none().then_some(row);
            if unchanged.is_some() && unchanged == previous {
                // A repeated row, as most of a page's background.
                plain.copy_within(start - *row_bytes..start, start);
            } else {
                plain[start] = Filter::None as u8;
                bgrx_to_rgb(drawn.unwrap_or(row), &mut plain[start + 1..start + *row_bytes]);
            }
            previous = unchanged;
            start += *row_bytes;
        }
    }

    /// How many rows there are.
    pub(super) fn count(&self) -> usize {
        self.plain.len() / self.row_bytes.max(1)
    }

    /// Rows as they are.
    pub(super) fn plain(&self, rows: Range<usize>) -> &[u8] {
        &self.plain[rows.start * self.row_bytes..rows.end * self.row_bytes]
    }

    /// Rows that [`Rows::filter`] has filtered.
    pub(super) fn filtered(&self, rows: Range<usize>) -> &[u8] {
        &self.filtered[rows.start * self.row_bytes..rows.end * self.row_bytes]
    }

    /// Filters these rows. The very first does without the row above it: what is here depends on these rows alone.
    pub(super) fn filter(&mut self, rows: Range<usize>, preset: Preset) {
        let Self { plain, filtered, candidate, row_bytes, .. } = self;
        filtered.resize(plain.len(), 0);
        candidate.resize(*row_bytes, 0);
        for row in rows {
            let (above, here) = plain.split_at(row * *row_bytes);
            let current = &here[1..*row_bytes];
            let target = &mut filtered[row * *row_bytes..(row + 1) * *row_bytes];
            let Some(start) = above.len().checked_sub(*row_bytes) else {
                sub(current, target);
                continue;
            };
            let above = &above[start + 1..];
            paeth(above, current, target);
            if preset == Preset::Compact {
                let mut least = sum(target);
                for other in [Filter::Sub, Filter::Up, Filter::Average] {
                    match other {
                        Filter::Up => up(above, current, candidate),
                        Filter::Average => average(above, current, candidate),
                        _ => sub(current, candidate),
                    }
                    let sum = sum(candidate);
                    if sum < least {
                        least = sum;
                        target.copy_from_slice(candidate);
                    }
                }
            }
        }
    }

    /// What these rows show, by a sample of them: of the bytes that differ from the pixel to the left, how many do so by little.
    /// An edge of a letter differs by much, and where the colour stays nothing differs.
    pub(super) fn content(&self, rows: Range<usize>) -> Content {
        /// Every fourth row tells as much as all of them.
        const EVERY: usize = 4;
        let (mut different, mut near) = (0, 0);
        for row in rows.skip(EVERY / 2).step_by(EVERY) {
            let row = &self.plain(row..row + 1)[1..];
            // Blocks whose counts fit a byte, so that sixteen counters stand in one vector register.
            for (current, left) in row[3..].chunks(255).zip(row.chunks(255)) {
                let (mut in_block, mut near_in_block) = (0_u8, 0_u8);
                for (&current, &left) in current.iter().zip(left) {
                    let difference = current.wrapping_sub(left);
                    in_block += u8::from(difference != 0);
                    near_in_block += u8::from(difference.wrapping_add(NEAR) <= 2 * NEAR);
                }
                different += usize::from(in_block);
                // Zero is near as well.
                near += usize::from(near_in_block) + usize::from(in_block) - current.len().min(left.len());
            }
        }
        // On the real frames the share is below 0.45 or above 0.65, but for rows in which both stand beside each other.
        if near * 9 > different * 5 { Content::Smooth } else { Content::Drawn }
    }
}

/// The rows of a strip that are looked at together: those of one row of tiles.
pub(super) const SEGMENT: usize = TILE_HEIGHT as usize;

/// The row with the cursor over it; `None` where the cursor does not reach.
fn with_cursor<'a>(row: &[u8], number: usize, overlay: Overlay<'_>, overlaid: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    let y = i32::try_from(number).ok()?;
    let (image, place) = overlay.filter(|(image, place)| image.covers_row(*place, y))?;
    overlaid.clear();
    overlaid.extend_from_slice(row);
    image.blend_row(place, y, overlaid);
    Some(overlaid)
}

fn sub(current: &[u8], filtered: &mut [u8]) {
    filtered[0] = Filter::Sub as u8;
    let (first, rest) = filtered[1..].split_at_mut(3);
    first.copy_from_slice(&current[..3]);
    for ((target, &byte), &left) in rest.iter_mut().zip(&current[3..]).zip(current) {
        *target = byte.wrapping_sub(left);
    }
}

fn up(above: &[u8], current: &[u8], filtered: &mut [u8]) {
    filtered[0] = Filter::Up as u8;
    for ((target, &byte), &above) in filtered[1..].iter_mut().zip(current).zip(above) {
        *target = byte.wrapping_sub(above);
    }
}

fn average(above: &[u8], current: &[u8], filtered: &mut [u8]) {
    filtered[0] = Filter::Average as u8;
    let (first, rest) = filtered[1..].split_at_mut(3);
    for ((target, &byte), &above) in first.iter_mut().zip(current).zip(above) {
        *target = byte.wrapping_sub(above / 2);
    }
    for (((target, &byte), &left), &above) in rest.iter_mut().zip(&current[3..]).zip(current).zip(&above[3..]) {
        *target = byte.wrapping_sub(left.midpoint(above));
    }
}

/// How far the bytes of a filtered row are from zero in sum: what the specification proposes to choose by (section 12.8).
fn sum(filtered: &[u8]) -> u32 {
    filtered[1..].iter().map(|&byte| u32::from(byte.cast_signed().unsigned_abs())).sum()
}

fn paeth(above: &[u8], current: &[u8], filtered: &mut [u8]) {
    filtered[0] = Filter::Paeth as u8;
    let (first, rest) = filtered[1..].split_at_mut(3);
    // Without anything to the left the prediction is what stands above.
    for ((target, &byte), &above) in first.iter_mut().zip(current).zip(above) {
        *target = byte.wrapping_sub(above);
    }
    let lefts = current.iter().zip(&above[3..]).zip(above);
    for ((target, &byte), ((&left, &up), &up_left)) in rest.iter_mut().zip(&current[3..]).zip(lefts) {
        *target = byte.wrapping_sub(likely(left, up, up_left));
    }
}

/// Of left, above and above left the one nearest to left + above − above left (PNG specification, section 9.4). Without branches,
/// so that the compiler takes eight at a time.
#[inline]
fn likely(left: u8, up: u8, up_left: u8) -> u8 {
    let (by_left, by_up) = (i16::from(up) - i16::from(up_left), i16::from(left) - i16::from(up_left));
    let (from_left, from_up, from_up_left) = (by_left.abs(), by_up.abs(), (by_left + by_up).abs());
    let second = if from_up <= from_up_left { up } else { up_left };
    if from_left <= from_up && from_left <= from_up_left { left } else { second }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{image::pixels::PixelBuffer, protocol::units::NativeSize};

    fn low(value: usize) -> u8 {
        value.to_le_bytes()[0]
    }

    fn rows(width: u16, colour: impl Fn(usize, usize) -> u8) -> Rows {
        let mut buffer = PixelBuffer::default();
        buffer.resize(NativeSize { width, height: 16 });
        for (index, pixel) in buffer.bytes_mut().as_chunks_mut::<4>().0.iter_mut().enumerate() {
            pixel.fill(colour(index % usize::from(width), index / usize::from(width)));
        }
        let mut rows = Rows::default();
        rows.take(&buffer.pixels(), 0..16, None);
        rows
    }

    #[test]
    fn what_is_drawn_is_told_from_what_is_smooth() {
        let photograph = rows(300, |x, y| low(40 + x / 2 % 180 + (x * 7 + y * 3) % 5));
        assert_eq!(photograph.content(0..16), Content::Smooth);
        assert_eq!(
            rows(300, |x, y| if (x / 3 + y).is_multiple_of(4) { 20 } else { 240 }).content(0..16),
            Content::Drawn
        );
        assert_eq!(rows(300, |_, y| low(y)).content(0..16), Content::Drawn, "nothing differs along a row");
        for width in 1..4 {
            assert_eq!(rows(width, |_, _| 7).content(0..16), Content::Drawn);
            assert_eq!(rows(width, |_, _| 7).content(0..1), Content::Drawn);
        }
    }

    #[test]
    fn the_likely_byte_is_that_of_the_specification() {
        for (left, up, up_left) in (0..=255_u8)
            .step_by(5)
            .flat_map(|a| (0..=255_u8).step_by(15).flat_map(move |b| (0..=255_u8).step_by(17).map(move |c| (a, b, c))))
        {
            let estimate = i32::from(left) + i32::from(up) - i32::from(up_left);
            let distance = |byte: u8| (estimate - i32::from(byte)).abs();
            // The order settles ties.
            let expected = [left, up, up_left].into_iter().min_by_key(|&byte| distance(byte)).unwrap();
            assert_eq!(likely(left, up, up_left), expected, "{left} {up} {up_left}");
        }
    }
}
