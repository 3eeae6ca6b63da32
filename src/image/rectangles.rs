//! Few rectangles that hold all the tiles that have changed. Pure geometry.

use super::tiles::{TILE_HEIGHT, TILE_WIDTH};
use crate::protocol::units::{NativeRegion, NativeSize};

/// The most rectangles of one frame. Each costs some 150 bytes beside its pixels (a PNG's frame and code tables, two headers, its
/// place in the JSON) and a call of the encoder, about as much as sixteen unchanged tiles in a larger rectangle; a window that
/// is dragged over a busy page leaves four to ten.
pub const MOST_RECTANGLES: usize = 16;

/// Tiles that form a rectangle, as half-open spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    left: u16,
    right: u16,
    top: u16,
    bottom: u16,
}

impl Block {
    /// The smallest block that holds both.
    fn with(self, other: Self) -> Self {
        Self {
            left: self.left.min(other.left),
            right: self.right.max(other.right),
            top: self.top.min(other.top),
            bottom: self.bottom.max(other.bottom),
        }
    }

    /// Its pixels, as far as they are on a screen of this size.
    fn pixels(self, size: NativeSize) -> NativeRegion {
        let span = |start: u16, end: u16, tile: u16, limit: u16| {
            let start = start.saturating_mul(tile).min(limit);
            (start, end.saturating_mul(tile).min(limit) - start)
        };
        let (x, width) = span(self.left, self.right, TILE_WIDTH, size.width);
        let (y, height) = span(self.top, self.bottom, TILE_HEIGHT, size.height);
        NativeRegion { x, y, width, height }
    }
}

/// Covers tiles, given as column and row from left to right and from top to bottom, with at most [`MOST_RECTANGLES`] rectangles
/// that do not overlap: each tile once where they are few, and otherwise more than the tiles.
pub fn cover(tiles: impl IntoIterator<Item = (u16, u16)>, size: NativeSize) -> Vec<NativeRegion> {
    let runs = runs(tiles);
    let mut blocks = stacked(&runs);
    if blocks.len() > MOST_RECTANGLES {
        // One for each row of tiles, then rows together.
        blocks = stacked(&hulls(&runs));
        let together = blocks.len().div_ceil(MOST_RECTANGLES);
        blocks = blocks.chunks(together).filter_map(|rows| rows.iter().copied().reduce(Block::with)).collect();
    }
    blocks.into_iter().map(|block| block.pixels(size)).collect()
}

/// Tiles beside each other.
fn runs(tiles: impl IntoIterator<Item = (u16, u16)>) -> Vec<Block> {
    let mut runs: Vec<Block> = Vec::new();
    for (column, row) in tiles {
        match runs.last_mut() {
            Some(run) if run.top == row && run.right == column => run.right = column + 1,
            _ => runs.push(Block { left: column, right: column + 1, top: row, bottom: row + 1 }),
        }
    }
    runs
}

/// One block for each row that has any.
fn hulls(runs: &[Block]) -> Vec<Block> {
    runs.chunk_by(|run, next| run.top == next.top).filter_map(|row| row.iter().copied().reduce(Block::with)).collect()
}

/// Blocks of equal width above each other become one.
fn stacked(rows: &[Block]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    // Which of them end in the row above and in this one.
    let (mut above, mut here): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    let mut row = 0;
    for run in rows {
        if run.top != row {
            above = std::mem::take(&mut here);
            row = run.top;
        }
        let fits = |index: &usize| {
            blocks
                .get(*index)
                .is_some_and(|block| (block.left, block.right, block.bottom) == (run.left, run.right, run.top))
        };
        let found = above.iter().copied().find(|index| fits(index));
        match found.and_then(|index| blocks.get_mut(index)) {
            Some(block) => block.bottom = run.bottom,
            None => blocks.push(*run),
        }
        here.push(found.unwrap_or(blocks.len() - 1));
    }
    blocks
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const SIZE: NativeSize = NativeSize { width: 1000, height: 700 };

    fn region(x: u16, y: u16, width: u16, height: u16) -> NativeRegion {
        NativeRegion { x, y, width, height }
    }

    #[test]
    fn neighbours_become_one_and_the_rest_of_the_screen_stays_out() {
        assert_eq!(cover([], SIZE), []);
        assert_eq!(cover([(1, 2)], SIZE), [region(64, 32, 64, 16)]);
        let square = [(1, 2), (2, 2), (1, 3), (2, 3), (9, 3), (1, 4), (2, 4)];
        assert_eq!(cover(square, SIZE), [region(64, 32, 128, 48), region(576, 48, 64, 16)]);
        // The last tiles of a screen that is no whole number of tiles.
        assert_eq!(cover([(15, 43)], SIZE), [region(960, 688, 40, 12)]);
    }

    #[test]
    fn a_screen_that_changes_everywhere_is_one_rectangle() {
        let all = (0..44).flat_map(|row| (0..16).map(move |column| (column, row)));
        assert_eq!(cover(all, SIZE), [region(0, 0, 1000, 700)]);
    }

    #[test]
    fn a_checkerboard_is_covered_by_few() {
        let board = (0..44).flat_map(|row| (0..16).map(move |column| (column, row)));
        let covered = cover(board.filter(|(column, row)| (column + row) % 2 == 0), SIZE);
        assert!(covered.len() <= MOST_RECTANGLES, "{covered:?}");
    }

    proptest! {
        #[test]
        fn every_tile_is_covered_and_no_pixel_twice(tiles in proptest::collection::btree_set((0_u16..44, 0_u16..16), 0..80)) {
            let tiles: BTreeSet<(u16, u16)> = tiles;
            let covered = cover(tiles.iter().map(|&(row, column)| (column, row)), SIZE);
            prop_assert!(covered.len() <= MOST_RECTANGLES);
            let mut seen = vec![0_u8; usize::from(SIZE.width) * usize::from(SIZE.height)];
            for region in &covered {
                prop_assert!(region.width > 0 && region.height > 0);
                for y in region.y..region.y + region.height {
                    for x in region.x..region.x + region.width {
                        seen[usize::from(y) * usize::from(SIZE.width) + usize::from(x)] += 1;
                    }
                }
            }
            prop_assert!(seen.iter().all(|&times| times <= 1));
            for &(row, column) in &tiles {
                let (x, y) = (usize::from(column * TILE_WIDTH), usize::from(row * TILE_HEIGHT));
                prop_assert_eq!(seen[y * usize::from(SIZE.width) + x], 1);
            }
        }
    }
}
