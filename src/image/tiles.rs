//! Where a frame has changed, and when: a serial for each tile.

use crate::protocol::units::{NativeRegion, NativeSize};

/// A tile's width in pixels: a row of it is four cache lines.
pub const TILE_WIDTH: u16 = 64;
/// A tile's height in pixels, which is also that of a strip of a fast PNG. Lower strips would leave less to encode again after a
/// small change and more bytes in the whole: each begins anew, without the rows above, and with 60 to 100 bytes of code tables.
/// `png.rs` has the figures.
pub const TILE_HEIGHT: u16 = 16;

/// The frame's serial when a tile's pixels last changed, tile by tile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileSerials {
    columns: usize,
    serials: Vec<u64>,
}

impl TileSerials {
    /// For a frame of this size that has never been captured: serial 0 everywhere.
    pub fn new(size: NativeSize) -> Self {
        let columns = usize::from(size.width.div_ceil(TILE_WIDTH)).max(1);
        Self { columns, serials: vec![0; columns * usize::from(size.height.div_ceil(TILE_HEIGHT))] }
    }

    /// How many tiles stand beside each other.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The tiles of one row, from left to right; none below the frame.
    pub fn row(&self, row: usize) -> &[u64] {
        self.serials.get(row * self.columns..(row + 1) * self.columns).unwrap_or_default()
    }

    /// The tiles of one row, to be marked.
    pub fn row_mut(&mut self, row: usize) -> &mut [u64] {
        self.serials.get_mut(row * self.columns..(row + 1) * self.columns).unwrap_or_default()
    }

    /// The tiles that have changed since a serial, as column and row.
    pub fn changed_since(&self, serial: u64) -> impl Iterator<Item = (u16, u16)> {
        let tiles = (0_usize..).zip(&self.serials).filter(move |(_, newest)| **newest > serial);
        // A screen has far fewer than 65,536 tiles each way.
        let narrow = |place: usize| u16::try_from(place).unwrap_or(u16::MAX);
        tiles.map(move |(index, _)| (narrow(index % self.columns), narrow(index / self.columns)))
    }

    /// When any pixel of a row of tiles last changed.
    pub fn newest_in_row(&self, row: usize) -> u64 {
        self.row(row).iter().copied().max().unwrap_or_default()
    }

    /// When any pixel of the tiles that a region touches last changed: never earlier than the region's own last change.
    pub fn newest_in(&self, region: NativeRegion) -> u64 {
        let span = |start: u16, length: u16, tile: u16| {
            usize::from(start / tile)..usize::from(start.saturating_add(length).div_ceil(tile))
        };
        let columns = span(region.x, region.width, TILE_WIDTH);
        let newest =
            |row: usize| self.row(row).get(columns.start..columns.end.min(self.columns)).unwrap_or_default().iter();
        span(region.y, region.height, TILE_HEIGHT).flat_map(newest).copied().max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_as_new_as_the_newest_tile_that_it_touches() {
        let mut tiles = TileSerials::new(NativeSize { width: 130, height: 40 });
        assert_eq!((tiles.columns(), tiles.row(2).len(), tiles.row(3).len()), (3, 3, 0));
        tiles.row_mut(1)[2] = 7;
        tiles.row_mut(0)[0] = 3;
        let region = |x, y, width, height| NativeRegion { x, y, width, height };
        assert_eq!(tiles.newest_in(region(0, 0, 130, 40)), 7);
        assert_eq!(tiles.newest_in(region(127, 15, 1, 1)), 0);
        assert_eq!(tiles.newest_in(region(127, 15, 2, 2)), 7);
        assert_eq!(tiles.newest_in(region(63, 15, 1, 1)), 3);
        let changed = |serial: u64| tiles.changed_since(serial).collect::<Vec<_>>();
        assert_eq!(changed(0), [(0, 0), (2, 1)]);
        assert_eq!((changed(3), changed(7)), (vec![(2, 1)], vec![]));
        assert_eq!((tiles.newest_in_row(0), tiles.newest_in_row(1), tiles.newest_in_row(2)), (3, 7, 0));
    }
}
