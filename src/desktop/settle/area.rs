//! Where on the screen changes count.

use std::collections::HashMap;

use super::ambient::Tile;
use crate::{
    image::{
        pixels::{PIXEL_BYTES, Pixels},
        tiles::{TILE_HEIGHT, TILE_WIDTH},
    },
    protocol::units::NativeRegion,
};

/// A part of the screen, less some parts of it. Told to the pixel: tiles that lie across an edge are compared by the pixels
/// of theirs that count, and where the width is odd all tiles are.
#[derive(Clone, Debug, Default)]
pub struct Area {
    region: Option<NativeRegion>,
    ignore: Vec<NativeRegion>,
    /// The content of the tiles that are compared, when they were last looked at.
    compared: HashMap<Tile, u64>,
    marks: Marks,
}

/// What it means that a tile is said to have changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Marks {
    /// One of its pixels has.
    #[default]
    Exact,
    /// One of its pixels or one beside it has: so it is on screens of an odd width.
    Rough,
}

/// How much of a tile counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Share {
    All,
    Part,
    None,
}

impl Area {
    /// The region, or the whole screen, less what is ignored.
    pub fn new(region: Option<NativeRegion>, ignore: Vec<NativeRegion>) -> Self {
        Self { region, ignore, ..Self::default() }
    }

    /// Whether all of the screen counts.
    pub fn is_whole(&self) -> bool {
        self.region.is_none() && self.ignore.is_empty()
    }

    /// Remembers what the tiles look like that have to be compared.
    pub fn remember(&mut self, pixels: &Pixels<'_>) {
        if self.is_whole() {
            return;
        }
        let size = pixels.size();
        self.marks = if size.width.is_multiple_of(2) { Marks::Exact } else { Marks::Rough };
        for row in 0..size.height.div_ceil(TILE_HEIGHT) {
            for column in 0..size.width.div_ceil(TILE_WIDTH) {
                let tile = (column, row);
                if self.is_compared(self.share(tile)) {
                    self.compared.insert(tile, self.content(pixels, tile));
                }
            }
        }
    }

    /// Whether any of a tile counts.
    pub fn touches(&self, tile: Tile) -> bool {
        self.share(tile) != Share::None
    }

    /// Whether a tile that has changed has changed where it counts.
    pub fn counts(&mut self, pixels: &Pixels<'_>, tile: Tile) -> bool {
        let share = self.share(tile);
        if !self.is_compared(share) {
            return share == Share::All;
        }
        let content = self.content(pixels, tile);
        self.compared.insert(tile, content) != Some(content)
    }

    /// Whether it takes a look at the pixels to tell.
    fn is_compared(&self, share: Share) -> bool {
        match share {
            Share::All => self.marks == Marks::Rough,
            Share::Part => true,
            Share::None => false,
        }
    }

    fn share(&self, tile: Tile) -> Share {
        let tile = place(tile);
        let of_region = self.region.map_or(Share::All, |region| overlap(region, tile));
        let ignored = self.ignore.iter().map(|region| overlap(*region, tile));
        ignored.fold(of_region, |share, ignored| match (share, ignored) {
            (Share::None, _) | (_, Share::All) => Share::None,
            (Share::Part, _) | (_, Share::Part) => Share::Part,
            (Share::All, Share::None) => Share::All,
        })
    }

    /// A number that is the same for the same colours in the part of the tile that counts.
    fn content(&self, pixels: &Pixels<'_>, tile: Tile) -> u64 {
        let place = place(tile);
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let rows = usize::from(place.y)..usize::from(place.y + place.height);
        for (y, line) in (place.y..).zip(pixels.rows_in(rows)) {
            for (x, pixel) in (0..).zip(line.as_chunks::<PIXEL_BYTES>().0) {
                if x < place.x || x >= place.x + place.width || !self.has(x, y) {
                    continue;
                }
                let colour = u64::from(u32::from_le_bytes(*pixel) & 0x00ff_ffff);
                hash = (hash ^ colour).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23);
            }
        }
        hash
    }

    fn has(&self, x: u16, y: u16) -> bool {
        self.region.is_none_or(|region| region.contains(x, y)) && !self.ignore.iter().any(|part| part.contains(x, y))
    }
}

fn place((column, row): Tile) -> NativeRegion {
    NativeRegion { x: column * TILE_WIDTH, y: row * TILE_HEIGHT, width: TILE_WIDTH, height: TILE_HEIGHT }
}

/// How much of `tile` lies in `region`.
fn overlap(region: NativeRegion, tile: NativeRegion) -> Share {
    let span = |start: u16, length: u16| (u32::from(start), u32::from(start) + u32::from(length));
    let (left, right) = span(region.x, region.width);
    let (top, bottom) = span(region.y, region.height);
    let (tile_left, tile_right) = span(tile.x, tile.width);
    let (tile_top, tile_bottom) = span(tile.y, tile.height);
    if left >= tile_right || tile_left >= right || top >= tile_bottom || tile_top >= bottom {
        Share::None
    } else if left <= tile_left && tile_right <= right && top <= tile_top && tile_bottom <= bottom {
        Share::All
    } else {
        Share::Part
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::units::NativeSize;

    const SIZE: NativeSize = NativeSize { width: 200, height: 100 };

    fn region(x: u16, y: u16, width: u16, height: u16) -> NativeRegion {
        NativeRegion { x, y, width, height }
    }

    /// Whether a change of one pixel counts.
    fn counts(area: &Area, x: u16, y: u16) -> bool {
        let mut bytes = vec![0; usize::from(SIZE.width) * usize::from(SIZE.height) * PIXEL_BYTES];
        let stride = usize::from(SIZE.width) * PIXEL_BYTES;
        let mut area = area.clone();
        area.remember(&Pixels::new(&bytes, stride, SIZE).unwrap());
        bytes[usize::from(y) * stride + usize::from(x) * PIXEL_BYTES] = 1;
        area.counts(&Pixels::new(&bytes, stride, SIZE).unwrap(), (x / TILE_WIDTH, y / TILE_HEIGHT))
    }

    #[test]
    fn every_pixel_counts_exactly_where_it_should() {
        let whole = Area::default();
        let part = Area::new(Some(region(10, 5, 90, 60)), Vec::new());
        let less = Area::new(None, vec![region(60, 10, 10, 30), region(0, 0, 3, 3)]);
        let both = Area::new(Some(region(10, 5, 90, 60)), vec![region(60, 10, 10, 30)]);
        for y in (0..SIZE.height).step_by(3) {
            for x in (0..SIZE.width).step_by(3) {
                let (in_part, in_hole) = (region(10, 5, 90, 60).contains(x, y), region(60, 10, 10, 30).contains(x, y));
                let in_corner = x < 3 && y < 3;
                assert!(counts(&whole, x, y));
                assert_eq!(counts(&part, x, y), in_part, "{x}, {y}");
                assert_eq!(counts(&less, x, y), !in_hole && !in_corner, "{x}, {y}");
                assert_eq!(counts(&both, x, y), in_part && !in_hole, "{x}, {y}");
            }
        }
    }
}
