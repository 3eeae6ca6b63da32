//! Session coordinates to native pixels and back, by the rule of the contract: native = ⌊(x + ½) · N / S⌋, the inverse alike.
//! All of it is whole-number arithmetic, so that every machine gives the same pixel.

use crate::protocol::{
    error::{ErrorKind, Failure},
    screen::{CoordinateSpace, ScreenFit},
    units::{Coordinate, NativePoint, NativeRectangle, NativeRegion, NativeSize, Region, ScreenSize},
};

/// How many parts an edge has in the `normalized_1000` space.
const NORMALIZED_PARTS: u16 = 1000;

/// The size of the picture for a display: at least one pixel each way, never larger than the display unless the fit is exact.
pub fn screen_size(fit: ScreenFit, native: NativeSize) -> ScreenSize {
    let (width, height) = (u64::from(native.width), u64::from(native.height));
    let (width, height) = match fit {
        ScreenFit::Exact(exact) => return exact.size(),
        ScreenFit::MaxLongEdge(limit) => {
            let longest = width.max(height).max(1);
            let limit = u64::from(limit.get()).min(longest);
            let scaled = |edge: u64| divide_rounding(edge * limit, longest);
            (scaled(width), scaled(height))
        }
        // Rounding down keeps the product under the limit: ⌊w·k⌋·⌊h·k⌋ ≤ w·h·k², where k² = limit / (w·h).
        ScreenFit::MaxPixels(limit) if width * height > u64::from(limit.get()) => {
            let limit = u64::from(limit.get());
            let scaled = |edge: u64, other: u64| (edge * limit / other.max(1)).isqrt();
            let (short_width, short_height) = (scaled(width, height).max(1), scaled(height, width).max(1));
            // An edge that would vanish keeps one pixel; the other must then bear the limit alone.
            (short_width.min(limit / short_height), short_height.min(limit / short_width))
        }
        ScreenFit::Native | ScreenFit::MaxPixels(_) => (width, height),
    };
    ScreenSize { width: narrow(width).max(1), height: narrow(height).max(1) }
}

fn divide_rounding(dividend: u64, divisor: u64) -> u64 {
    (2 * dividend + divisor) / (2 * divisor)
}

/// What is at most a `u16` by construction.
fn narrow(value: u64) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

/// What a session's coordinates mean on the display of this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// The display's size, at least one pixel each way.
    pub native: NativeSize,
    /// The size of the picture that the session receives.
    pub screen: ScreenSize,
    /// What the numbers of its coordinates mean.
    pub space: CoordinateSpace,
}

/// What `zoom` captures and how large the picture of it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZoomTarget {
    /// The part of the display to capture.
    pub native: NativeRegion,
    /// The size to scale it to.
    pub output: ScreenSize,
}

impl Geometry {
    /// The geometry of a session on a display.
    pub fn new(native: NativeSize, fit: ScreenFit, space: CoordinateSpace) -> Self {
        Self { native, screen: screen_size(fit, native), space }
    }

    /// How many units each edge has in the session's coordinates.
    fn extent(&self) -> (u16, u16) {
        match self.space {
            CoordinateSpace::Screen => (self.screen.width, self.screen.height),
            CoordinateSpace::Native => (self.native.width, self.native.height),
            CoordinateSpace::Normalized1000 => (NORMALIZED_PARTS, NORMALIZED_PARTS),
        }
    }

    /// The pixel of the display that a coordinate means; `out_of_range` for one outside, never clamped.
    pub fn to_native(&self, at: Coordinate) -> Result<NativePoint, Failure> {
        let (width, height) = self.extent();
        Ok(NativePoint {
            x: convert(self.check("x", at.x, width)?, width, self.native.width),
            y: convert(self.check("y", at.y, height)?, height, self.native.height),
        })
    }

    /// The coordinate of a pixel of the display.
    pub fn from_native(&self, point: NativePoint) -> [i32; 2] {
        let (width, height) = self.extent();
        [convert(point.x, self.native.width, width).into(), convert(point.y, self.native.height, height).into()]
    }

    /// A rectangle on the display in the session's coordinates: left edge, top edge, width, height. It has at least one unit
    /// each way, and lies outside the screen where the rectangle does.
    pub fn from_native_rectangle(&self, rectangle: NativeRectangle) -> [i32; 4] {
        let (width, height) = self.extent();
        let (x, across) = convert_span(rectangle.x, rectangle.width, self.native.width, width);
        let (y, down) = convert_span(rectangle.y, rectangle.height, self.native.height, height);
        [x, y, across, down]
    }

    /// What a `zoom` of this region captures, and the size of its picture: the region fills the session's screen in one
    /// direction and keeps its proportions. `out_of_range` for a region that is empty, inverted or not all inside.
    pub fn zoom_region(&self, region: Region) -> Result<ZoomTarget, Failure> {
        let (width, height) = self.extent();
        let (x0, x1) = self.check_span(["x0", "x1"], [region.x0, region.x1], width)?;
        let (y0, y1) = self.check_span(["y0", "y1"], [region.y0, region.y1], height)?;
        let (x, native_width) = cover(x0, x1, width, self.native.width);
        let (y, native_height) = cover(y0, y1, height, self.native.height);
        // k = min(W / rw, H / rh), where the region is measured in screen pixels: rw · SW / W of them are rw units. The edge
        // that decides k fills the screen exactly; the other is scaled by the same k.
        let (region_width, region_height) = (u64::from(x1 - x0), u64::from(y1 - y0));
        let (across, down) = (u64::from(width) * region_height, u64::from(height) * region_width);
        let scaled = |edge: u16, part: u64, whole: u64| narrow(divide_rounding(u64::from(edge) * part, whole)).max(1);
        let output = if across <= down {
            ScreenSize { width: self.screen.width, height: scaled(self.screen.height, across, down) }
        } else {
            ScreenSize { width: scaled(self.screen.width, down, across), height: self.screen.height }
        };
        Ok(ZoomTarget { native: NativeRegion { x, y, width: native_width, height: native_height }, output })
    }

    fn check(&self, name: &str, value: i64, extent: u16) -> Result<u16, Failure> {
        u16::try_from(value).ok().filter(|&value| value < extent).ok_or_else(|| {
            let meaning = self.meaning();
            Failure::new(ErrorKind::OutOfRange, format!("{name} = {value} is outside 0..{extent}; {meaning}"))
        })
    }

    fn check_span(&self, names: [&str; 2], [start, end]: [i64; 2], extent: u16) -> Result<(u16, u16), Failure> {
        let start = self.check(names[0], start, extent)?;
        u16::try_from(end).ok().filter(|&end| start < end && end <= extent).map(|end| (start, end)).ok_or_else(|| {
            let (first, meaning) = (start + 1, self.meaning());
            let message = format!(
                "{} = {end} is outside {first}..={extent}: a region ends after {} = {start} and inside the screen; {meaning}",
                names[1], names[0]
            );
            Failure::new(ErrorKind::OutOfRange, message)
        })
    }

    /// The remedy: what the session's numbers mean.
    const fn meaning(&self) -> &'static str {
        match self.space {
            CoordinateSpace::Screen => "coordinates are pixels of the last screenshot",
            CoordinateSpace::Native => "coordinates are pixels of the display",
            CoordinateSpace::Normalized1000 => "coordinates are thousandths of the last screenshot",
        }
    }
}

/// ⌊(value + ½) · to / from⌋, which is below `to` because `value` is below `from`.
fn convert(value: u16, from: u16, to: u16) -> u16 {
    narrow((2 * u64::from(value) + 1) * u64::from(to) / (2 * u64::from(from)))
}

/// The rule of [`convert`] for the first and the last pixel of a span that may begin before 0 and end after `from`: the first
/// unit, and how many there are.
fn convert_span(start: i16, length: u16, from: u16, to: u16) -> (i32, i32) {
    let convert = |value: i64| ((2 * value + 1) * i64::from(to)).div_euclid(2 * i64::from(from));
    let first = convert(start.into());
    let last = convert(i64::from(start) + i64::from(length.max(1)) - 1);
    let narrow = |value: i64| i32::try_from(value).unwrap_or(i32::MAX);
    (narrow(first), narrow(last - first + 1))
}

/// The native pixels, start and length, that the half-open span covers wholly or in part.
fn cover(start: u16, end: u16, from: u16, to: u16) -> (u16, u16) {
    let (from, to) = (u64::from(from), u64::from(to));
    let first = u64::from(start) * to / from;
    let last = (u64::from(end) * to).div_ceil(from);
    (narrow(first), narrow(last - first))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;
    use crate::protocol::screen::ExactSize;

    const NATIVE: NativeSize = NativeSize { width: 1920, height: 1080 };

    fn long_edge(pixels: u32) -> ScreenFit {
        ScreenFit::MaxLongEdge(NonZeroU32::new(pixels).unwrap())
    }

    fn pixels(pixels: u32) -> ScreenFit {
        ScreenFit::MaxPixels(NonZeroU32::new(pixels).unwrap())
    }

    fn exact(width: u32, height: u32) -> ScreenFit {
        ScreenFit::Exact(ExactSize::new(width, height).unwrap())
    }

    fn size(fit: ScreenFit) -> (u16, u16) {
        let size = screen_size(fit, NATIVE);
        (size.width, size.height)
    }

    #[test]
    fn a_fit_shrinks_evenly_and_only_an_exact_one_enlarges() {
        assert_eq!(size(ScreenFit::Native), (1920, 1080));
        assert_eq!(size(long_edge(1280)), (1280, 720));
        assert_eq!(size(long_edge(4000)), (1920, 1080));
        assert_eq!(size(long_edge(1)), (1, 1));
        assert_eq!(size(pixels(1280 * 720)), (1280, 720));
        assert_eq!(size(pixels(1280 * 720 - 1)), (1279, 719));
        assert_eq!(size(pixels(u32::MAX)), (1920, 1080));
        assert_eq!(size(pixels(1)), (1, 1));
        assert_eq!(size(exact(1024, 768)), (1024, 768));
        assert_eq!(size(exact(4096, 4096)), (4096, 4096));
    }

    #[test]
    fn a_coordinate_outside_is_an_error_that_says_what_coordinates_are() {
        let geometry = Geometry::new(NATIVE, long_edge(1280), CoordinateSpace::Screen);
        let failure = geometry.to_native(Coordinate { x: 2000, y: 5 }).unwrap_err();
        assert_eq!(failure.kind, ErrorKind::OutOfRange);
        assert_eq!(failure.message, "x = 2000 is outside 0..1280; coordinates are pixels of the last screenshot");
        for (x, y) in [(-1, 0), (0, -1), (1280, 0), (0, 720), (i64::MAX, 0), (0, i64::MIN), (65_536, 0)] {
            assert!(geometry.to_native(Coordinate { x, y }).is_err(), "{x}, {y}");
        }
        let normalized = Geometry { space: CoordinateSpace::Normalized1000, ..geometry };
        assert_eq!(normalized.to_native(Coordinate { x: 999, y: 0 }), Ok(NativePoint { x: 1919, y: 0 }));
        assert!(normalized.to_native(Coordinate { x: 1000, y: 0 }).is_err());
        let native = Geometry { space: CoordinateSpace::Native, ..geometry };
        assert_eq!(native.to_native(Coordinate { x: 1919, y: 1079 }), Ok(NativePoint { x: 1919, y: 1079 }));
    }

    #[test]
    fn zoom_fills_the_screen_in_one_direction() {
        let geometry = Geometry::new(NATIVE, long_edge(960), CoordinateSpace::Screen);
        let zoom = |x0, y0, x1, y1| {
            let target = geometry.zoom_region(Region { x0, y0, x1, y1 }).unwrap();
            let NativeRegion { x, y, width, height } = target.native;
            ([x, y, width, height], (target.output.width, target.output.height))
        };
        assert_eq!(zoom(0, 0, 960, 540), ([0, 0, 1920, 1080], (960, 540)));
        assert_eq!(zoom(0, 0, 480, 270), ([0, 0, 960, 540], (960, 540)));
        assert_eq!(zoom(100, 100, 200, 200), ([200, 200, 200, 200], (540, 540)));
        assert_eq!(zoom(0, 539, 960, 540), ([0, 1078, 1920, 2], (960, 1)));
        assert_eq!(zoom(959, 0, 960, 540), ([1918, 0, 2, 1080], (1, 540)));
        assert_eq!(zoom(959, 539, 960, 540), ([1918, 1078, 2, 2], (540, 540)));
        let normalized = Geometry { space: CoordinateSpace::Normalized1000, ..geometry };
        let target = normalized.zoom_region(Region { x0: 500, y0: 0, x1: 1000, y1: 500 }).unwrap();
        assert_eq!(target.native, NativeRegion { x: 960, y: 0, width: 960, height: 540 });
        assert_eq!(target.output, ScreenSize { width: 960, height: 540 });
    }

    #[test]
    fn rectangles_keep_their_place_also_outside_the_screen() {
        let rectangle = NativeRectangle { x: -30, y: 1000, width: 60, height: 200 };
        let native = Geometry::new(NATIVE, ScreenFit::Native, CoordinateSpace::Screen);
        assert_eq!(native.from_native_rectangle(rectangle), [-30, 1000, 60, 200]);
        let half = Geometry::new(NATIVE, long_edge(960), CoordinateSpace::Screen);
        assert_eq!(half.from_native_rectangle(rectangle), [-15, 500, 30, 100]);
        let dot = NativeRectangle { x: 101, y: -1, width: 1, height: 1 };
        assert_eq!(half.from_native_rectangle(dot), [50, -1, 1, 1]);
        let normalized = Geometry { space: CoordinateSpace::Normalized1000, ..half };
        let whole = NativeRectangle { x: 0, y: 0, width: 1920, height: 1080 };
        assert_eq!(normalized.from_native_rectangle(whole), [0, 0, 1000, 1000]);
    }

    #[test]
    fn regions_that_are_empty_inverted_or_outside_are_refused() {
        let geometry = Geometry::new(NATIVE, ScreenFit::Native, CoordinateSpace::Screen);
        for [x0, y0, x1, y1] in [
            [10, 10, 10, 10],
            [10, 10, 20, 10],
            [50, 50, 10, 10],
            [0, 0, 4000, 4000],
            [0, 0, 1921, 1080],
            [0, 0, 1920, 1081],
            [-5, 0, 10, 10],
            [0, -5, 10, 10],
            [1920, 0, 1921, 1],
            [1, 1, 2_147_483_647, 2_147_483_647],
            [i64::MIN, 0, i64::MAX, 1],
        ] {
            let failure = geometry.zoom_region(Region { x0, y0, x1, y1 }).unwrap_err();
            assert_eq!(failure.kind, ErrorKind::OutOfRange);
        }
        let failure = geometry.zoom_region(Region { x0: 0, y0: 0, x1: 4000, y1: 10 }).unwrap_err();
        assert!(failure.message.starts_with("x1 = 4000 is outside 1..=1920"), "{}", failure.message);
    }

    #[test]
    fn converting_to_a_finer_grid_and_back_is_the_identity_for_every_pixel_of_every_size() {
        for from in (1..=4096u16).step_by(37).chain([2, 3, 4, 4095, 4096]) {
            for to in [from, from + 1, 2 * from, 2 * from + 1, 3 * from - 1, 4096.max(from)] {
                for value in 0..from {
                    let there = convert(value, from, to);
                    assert!(there < to);
                    assert_eq!(convert(there, to, from), value, "{value} of {from} in {to}");
                }
            }
        }
    }

    fn any_fit() -> impl Strategy<Value = ScreenFit> {
        prop_oneof![
            Just(ScreenFit::Native),
            (1..=8192u32).prop_map(long_edge),
            (1..=20_000_000u32).prop_map(pixels),
            (1..=4096u32, 1..=4096u32).prop_map(|(width, height)| exact(width, height)),
        ]
    }

    fn any_geometry() -> impl Strategy<Value = Geometry> {
        let space = prop_oneof![
            Just(CoordinateSpace::Screen),
            Just(CoordinateSpace::Native),
            Just(CoordinateSpace::Normalized1000)
        ];
        ((1..=4096u16, 1..=4096u16), any_fit(), space)
            .prop_map(|((width, height), fit, space)| Geometry::new(NativeSize { width, height }, fit, space))
    }

    proptest! {
        #[test]
        fn fits_keep_their_limit_and_never_enlarge(width in 1..=4096u16, height in 1..=4096u16, limit in 1..=20_000_000u32) {
            let native = NativeSize { width, height };
            let by_pixels = screen_size(pixels(limit), native);
            prop_assert!(u32::from(by_pixels.width) * u32::from(by_pixels.height) <= limit);
            let by_edge = screen_size(long_edge(limit), native);
            prop_assert!(u32::from(by_edge.width.max(by_edge.height)) <= limit);
            for size in [by_pixels, by_edge] {
                prop_assert!((1..=width).contains(&size.width) && (1..=height).contains(&size.height));
            }
        }

        #[test]
        fn what_is_reported_lies_inside_and_leads_back_to_the_same_place(geometry in any_geometry(), x: u16, y: u16) {
            let (width, height) = geometry.extent();
            let at = Coordinate { x: (x % width).into(), y: (y % height).into() };
            let native = geometry.to_native(at).unwrap();
            prop_assert!(native.x < geometry.native.width && native.y < geometry.native.height);
            let back = geometry.from_native(native);
            if width <= geometry.native.width {
                prop_assert_eq!(i64::from(back[0]), at.x);
            }
            if height <= geometry.native.height {
                prop_assert_eq!(i64::from(back[1]), at.y);
            }
            // Where several coordinates share a pixel, the reported one still means that pixel.
            let again = geometry.to_native(Coordinate { x: back[0].into(), y: back[1].into() });
            prop_assert_eq!(again, Ok(native));
        }

        #[test]
        fn corners_stay_corners(geometry in any_geometry()) {
            let (width, height) = geometry.extent();
            let NativeSize { width: native_width, height: native_height } = geometry.native;
            let last = NativePoint { x: native_width - 1, y: native_height - 1 };
            let reported = geometry.from_native(last).map(i64::from);
            if native_width >= width { prop_assert_eq!(reported[0], i64::from(width) - 1); }
            if native_height >= height { prop_assert_eq!(reported[1], i64::from(height) - 1); }
            let corner = geometry.to_native(Coordinate { x: i64::from(width) - 1, y: i64::from(height) - 1 }).unwrap();
            if width >= native_width { prop_assert_eq!(corner.x, last.x); }
            if height >= native_height { prop_assert_eq!(corner.y, last.y); }
            let beyond = [Coordinate { x: width.into(), y: 0 }, Coordinate { x: 0, y: height.into() }];
            prop_assert!(beyond.iter().all(|&at| geometry.to_native(at).is_err()));
        }

        #[test]
        fn a_zoom_stays_inside_the_display_and_inside_the_screen(geometry in any_geometry(), edges: [u16; 4]) {
            let (width, height) = geometry.extent();
            let (x0, y0) = (edges[0] % width, edges[1] % height);
            let (x1, y1) = (x0 + 1 + edges[2] % (width - x0), y0 + 1 + edges[3] % (height - y0));
            let region = Region { x0: x0.into(), y0: y0.into(), x1: x1.into(), y1: y1.into() };
            let ZoomTarget { native, output } = geometry.zoom_region(region).unwrap();
            prop_assert!(native.width >= 1 && native.height >= 1);
            prop_assert!(native.x + native.width <= geometry.native.width);
            prop_assert!(native.y + native.height <= geometry.native.height);
            prop_assert!((1..=geometry.screen.width).contains(&output.width));
            prop_assert!((1..=geometry.screen.height).contains(&output.height));
            prop_assert!(output.width == geometry.screen.width || output.height == geometry.screen.height);
            // Every coordinate of the region is in the picture.
            let first = geometry.to_native(Coordinate { x: region.x0, y: region.y0 }).unwrap();
            let last = geometry.to_native(Coordinate { x: region.x1 - 1, y: region.y1 - 1 }).unwrap();
            prop_assert!(first.x >= native.x && first.y >= native.y);
            prop_assert!(last.x < native.x + native.width && last.y < native.y + native.height);
        }
    }
}
