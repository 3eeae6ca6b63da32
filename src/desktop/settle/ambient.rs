//! What moves by itself: clocks, spinners, carets. Their changes say nothing about an action.
//!
//! Learned from changes that no action can have caused. A cell that changed three times within 15 s moves by itself; one that
//! only goes back and forth between two contents (a caret) is known by these contents, so that typing beside it counts.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use crate::image::{
    pixels::{PIXEL_BYTES, Pixels},
    tiles::{TILE_HEIGHT, TILE_WIDTH},
};

/// How long after an action a change may still be its doing.
pub const REACTION_TIME: Duration = Duration::from_millis(1500);
/// How long a change is remembered. A caret blinks about once a second, a clock once; after 15 s without it stands still.
const MEMORY: Duration = Duration::from_secs(15);
/// How many changes within that time make a cell one that moves by itself.
const CHANGES: usize = 3;
/// How many different contents are known by themselves: a caret's two.
const CONTENTS: usize = 2;
/// How many changes of a cell are remembered: more than [`CHANGES`], so that the contents are known.
const REMEMBERED: usize = 16;
/// How many tiles may change at once for the change to be that of a clock and not of half the screen, a video or a page that
/// loads: those may be what an action has caused long ago.
const TILES_AT_ONCE: usize = 64;
/// How many tiles are remembered: four times that.
const TILES: usize = 256;
/// A cell's edge: finer than a tile's width, so that what happens beside a clock counts.
const CELL_WIDTH: u16 = 16;
const CELLS: usize = (TILE_WIDTH / CELL_WIDTH) as usize;

/// The place of a tile: column, row.
pub type Tile = (u16, u16);

#[derive(Clone, Debug, Default)]
struct Cell {
    content: u64,
    changes: VecDeque<(Instant, u64)>,
}

impl Cell {
    fn forget_before(&mut self, then: Instant) {
        while self.changes.front().is_some_and(|(at, _)| *at < then) {
            self.changes.pop_front();
        }
    }

    fn note(&mut self, at: Instant, content: u64) {
        if self.changes.len() == REMEMBERED {
            self.changes.pop_front();
        }
        self.changes.push_back((at, content));
    }

    /// Whether a cell that now has this content may have taken it by itself.
    fn explains(&self, content: u64) -> bool {
        if self.changes.len() < CHANGES {
            return false;
        }
        let mut contents: Vec<u64> = self.changes.iter().map(|(_, content)| *content).collect();
        contents.sort_unstable();
        contents.dedup();
        contents.len() > CONTENTS || contents.contains(&content)
    }
}

/// What is known about the tiles that have changed by themselves.
#[derive(Clone, Debug, Default)]
pub struct Ambient {
    tiles: HashMap<Tile, [Cell; CELLS]>,
}

impl Ambient {
    /// Takes in the tiles that changed, and says which of them changed in a way that they do not change by themselves.
    /// `unprompted`: no action can have caused it, so it is learned from.
    pub fn sift(&mut self, pixels: &Pixels<'_>, changed: &[Tile], unprompted: bool, now: Instant) -> Vec<Tile> {
        let then = now.checked_sub(MEMORY);
        let learn = unprompted && changed.len() <= TILES_AT_ONCE;
        if learn {
            self.make_room(then, changed.len());
        }
        let mut told = Vec::new();
        for &tile in changed {
            let known = match self.tiles.get_mut(&tile) {
                Some(known) => known,
                None if learn => self.tiles.entry(tile).or_default(),
                None => {
                    told.push(tile);
                    continue;
                }
            };
            let mut is_new = false;
            for (cell, column) in known.iter_mut().zip(0..) {
                let content = content(pixels, tile, column);
                // A cell that is seen for the first time has changed as far as anybody knows.
                if cell.content == content && !cell.changes.is_empty() {
                    continue;
                }
                if let Some(then) = then {
                    cell.forget_before(then);
                }
                is_new |= !cell.explains(content);
                cell.content = content;
                if learn {
                    cell.note(now, content);
                }
            }
            if is_new {
                told.push(tile);
            }
        }
        told
    }

    /// Forgets tiles whose last change is long ago, and all of them where there are too many.
    fn make_room(&mut self, then: Option<Instant>, coming: usize) {
        if self.tiles.len() + coming <= TILES {
            return;
        }
        let is_young = |cell: &Cell| cell.changes.back().is_some_and(|(at, _)| then.is_none_or(|then| *at >= then));
        self.tiles.retain(|_, cells| cells.iter().any(is_young));
        if self.tiles.len() + coming > TILES {
            self.tiles.clear();
        }
    }
}

/// A number that is the same for the same colours: the multiplicative hash of the experiments, over pairs of pixels.
fn content(pixels: &Pixels<'_>, (column, row): Tile, cell: u16) -> u64 {
    let left = usize::from(column * TILE_WIDTH + cell * CELL_WIDTH) * PIXEL_BYTES;
    let right = left + usize::from(CELL_WIDTH) * PIXEL_BYTES;
    let top = usize::from(row * TILE_HEIGHT);
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for line in pixels.rows_in(top..top + usize::from(TILE_HEIGHT)) {
        let line = line.get(left..right.min(line.len())).unwrap_or_default();
        for pixel in line.as_chunks::<PIXEL_BYTES>().0 {
            // Without the fourth byte, which is no colour.
            let colour = u64::from(u32::from_le_bytes(*pixel) & 0x00ff_ffff);
            hash = (hash ^ colour).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23);
        }
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::units::NativeSize;

    const SIZE: NativeSize = NativeSize { width: 200, height: 40 };

    struct Screen {
        bytes: Vec<u8>,
        ambient: Ambient,
        now: Instant,
    }

    impl Screen {
        fn new() -> Self {
            let bytes = vec![0; usize::from(SIZE.width) * usize::from(SIZE.height) * PIXEL_BYTES];
            Self { bytes, ambient: Ambient::default(), now: Instant::now() }
        }

        /// A pixel changes; whether that tells of anything.
        fn change(&mut self, (x, y): (u16, u16), value: u8, unprompted: bool, later: u64) -> bool {
            self.now += Duration::from_millis(later);
            let at = (usize::from(y) * usize::from(SIZE.width) + usize::from(x)) * PIXEL_BYTES;
            self.bytes[at] = value;
            let pixels = Pixels::new(&self.bytes, usize::from(SIZE.width) * PIXEL_BYTES, SIZE).unwrap();
            let tile = (x / TILE_WIDTH, y / TILE_HEIGHT);
            !self.ambient.sift(&pixels, &[tile], unprompted, self.now).is_empty()
        }
    }

    #[test]
    fn a_clock_is_known_after_four_changes_and_forgotten_after_a_while() {
        let mut screen = Screen::new();
        let told: Vec<bool> = (1..=6).map(|second| screen.change((5, 5), second, true, 1000)).collect();
        assert_eq!(told, [true, true, true, false, false, false]);
        assert!(!screen.change((5, 5), 77, false, 100), "also right after an action");
        assert!(screen.change((5, 5), 78, false, 16_000), "it has stood still since");
    }

    #[test]
    fn a_caret_is_known_by_its_two_contents() {
        let mut screen = Screen::new();
        for blink in 0..6 {
            screen.change((100, 20), u8::from(blink % 2 == 0), true, 500);
        }
        assert!(!screen.change((100, 20), 1, false, 500));
        assert!(!screen.change((100, 20), 0, false, 500));
        assert!(screen.change((100, 20), 9, false, 500), "something was typed there");
    }

    #[test]
    fn what_happens_beside_a_clock_counts() {
        let mut screen = Screen::new();
        for second in 1..=6 {
            screen.change((5, 5), second, true, 1000);
        }
        assert!(screen.change((40, 5), 1, false, 100), "another cell of the same tile");
        assert!(screen.change((5, 20), 1, false, 100), "the tile below");
        assert!(!screen.change((5, 5), 50, false, 100));
    }

    #[test]
    fn the_reaction_to_an_action_is_not_learned() {
        let mut screen = Screen::new();
        for step in 1..=10 {
            assert!(screen.change((5, 5), step, false, 50));
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut ambient = Ambient::default();
        let bytes = vec![0; 4 * 4 * PIXEL_BYTES];
        let pixels = Pixels::new(&bytes, 4 * PIXEL_BYTES, NativeSize { width: 4, height: 4 }).unwrap();
        let now = Instant::now();
        for start in 0..100_u16 {
            let tiles: Vec<Tile> = (0..60).map(|tile| (tile, start)).collect();
            ambient.sift(&pixels, &tiles, true, now);
        }
        assert!(ambient.tiles.len() <= TILES);
    }
}
