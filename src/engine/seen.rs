//! What of the screen the client has seen: `_meta.if_changed` on the desktop of this moment.

use crate::{
    image::tiles::TileSerials,
    plan::fit::Geometry,
    protocol::{
        error::Failure,
        meta::IfChanged,
        units::{FrameId, NativeRegion},
    },
};

/// A frame that the client has, and which part of it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    frame: FrameId,
    /// `None`: all of it.
    region: Option<NativeRegion>,
}

impl Seen {
    /// # Errors
    /// `out_of_range` for a region that is empty, inverted or not all inside.
    pub fn new(asked: IfChanged, geometry: &Geometry) -> Result<Self, Failure> {
        let region = asked.region.map(|region| geometry.zoom_region(region)).transpose().map_err(|mut failure| {
            failure.message.insert_str(0, "if_changed: ");
            failure
        })?;
        Ok(Self { frame: asked.frame, region: region.map(|target| target.native) })
    }

    /// Whether the client's picture still shows what the frame `now` does. A frame of another epoch shows another screen, and
    /// one that is yet to come none at all.
    pub fn is_still(&self, now: FrameId, tiles: &TileSerials) -> bool {
        self.frame == now
            || self.region.is_some_and(|region| {
                self.frame.epoch == now.epoch
                    // Serial 0 is before the first capture.
                    && (1..=now.serial).contains(&self.frame.serial)
                    && tiles.newest_in(region) <= self.frame.serial
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{
        error::ErrorKind,
        screen::{CoordinateSpace, ScreenFit},
        units::{NativeSize, Region},
    };

    const SIZE: NativeSize = NativeSize { width: 640, height: 480 };

    fn seen(frame: FrameId, region: Option<[i64; 4]>) -> Result<Seen, Failure> {
        let region = region.map(|[x0, y0, x1, y1]| Region { x0, y0, x1, y1 });
        let geometry = Geometry::new(SIZE, ScreenFit::Native, CoordinateSpace::Screen);
        Seen::new(IfChanged { frame, region }, &geometry)
    }

    #[test]
    fn a_region_is_unchanged_until_one_of_its_tiles_changes() {
        let mut tiles = TileSerials::new(SIZE);
        for row in 0..30 {
            tiles.row_mut(row).fill(1);
        }
        tiles.row_mut(2)[3] = 5;
        let now = FrameId { epoch: 2, serial: 6 };
        let is_still = |epoch, serial, region| seen(FrameId { epoch, serial }, region).unwrap().is_still(now, &tiles);
        assert!(is_still(2, 6, None));
        assert!(!is_still(2, 5, None), "something else has changed");
        let (changed, other) = (Some([192, 32, 256, 48]), Some([0, 0, 192, 480]));
        assert!(is_still(2, 5, changed) && is_still(2, 6, changed) && !is_still(2, 4, changed));
        assert!(is_still(2, 1, other));
        assert!(!is_still(2, 0, other), "nothing had been captured");
        assert!(!is_still(2, 7, other), "not captured yet");
        assert!(!is_still(1, 6, other), "another screen");
    }

    #[test]
    fn a_region_outside_is_refused_with_its_name() {
        for region in [[0, 0, 641, 10], [10, 10, 10, 20], [20, 20, 10, 10], [-1, 0, 5, 5]] {
            let failure = seen(FrameId { epoch: 1, serial: 1 }, Some(region)).unwrap_err();
            assert_eq!(failure.kind, ErrorKind::OutOfRange);
            assert!(failure.message.starts_with("if_changed: "), "{}", failure.message);
        }
    }
}
