//! The motion of a drag: close enough together for a program to see a path, and bounded however long the path is.

use super::step::{ButtonNumber, Direction, Expectation, Step};
use crate::protocol::units::{Milliseconds, NativePoint};

/// The distance between two motions, in pixels: small enough that no drop target is jumped over.
const STRIDE: u64 = 16;

/// The fewest motions of a drag. Toolkits start a drag only after some of them (GTK after 8 pixels, in more than one event).
const MOTIONS_MIN: u64 = 4;

/// About how many motions are added to the points of a path; on longer ones the stride grows.
const MOTIONS_MAX: u64 = 4096;

/// The time for one motion, so that the program can react to it before the next.
const MOTION_TIME_MS: u64 = 4;

/// The most time for all the motions of a drag.
const MOTIONS_TIME_MS: u64 = 250;

/// Between the press and the first motion, for the program to take hold.
const PRESS_TIME: Milliseconds = Milliseconds(30);

/// Before the last motion and after it. The source of a drag and drop learns with each motion what the target said to the one
/// before; motions that follow at once all learn "not yet", and the release then calls the drag off. Chromium on a busy
/// machine lost drops so, even 80 ms after the last motion (measured).
const TARGET_TIME: Milliseconds = Milliseconds(60);

/// Press, motion along the path, release. The pointer stands at `from`.
pub(super) fn drag_steps(from: NativePoint, path: &[NativePoint], button: ButtonNumber) -> Vec<Step> {
    let mut points = motion(from, path);
    let end = points.pop().unwrap_or(from);
    let before = points.last().copied().unwrap_or(from);
    points.push(NativePoint { x: one_short(before.x, end.x), y: one_short(before.y, end.y) });
    let mut steps = vec![Step::Button(button, Direction::Press), Step::Delay(PRESS_TIME)];
    let count = points.len() as u64;
    let total = (count * MOTION_TIME_MS).min(MOTIONS_TIME_MS);
    for (number, &point) in (0..count).zip(&points) {
        steps.push(Step::Move(point));
        let pause = total * (number + 1) / count - total * number / count;
        if let Some(pause) = u32::try_from(pause).ok().filter(|&pause| pause > 0) {
            steps.push(Step::Delay(Milliseconds(pause)));
        }
    }
    steps.extend([
        Step::Delay(TARGET_TIME),
        Step::Move(end),
        Step::Expect(Expectation::Pointer(end)),
        Step::Delay(TARGET_TIME),
        Step::Button(button, Direction::Release),
    ]);
    steps
}

/// One pixel before the end, coming from `before`.
const fn one_short(before: u16, end: u16) -> u16 {
    if before < end {
        end - 1
    } else if before > end {
        end + 1
    } else {
        end
    }
}

/// The places of the motions: every point of the path, and others on the straight lines between.
fn motion(from: NativePoint, path: &[NativePoint]) -> Vec<NativePoint> {
    let corners = || std::iter::once(&from).chain(path);
    let legs = || corners().zip(path);
    let length: u64 = legs().map(|(start, end)| distance(*start, *end)).sum();
    let stride = STRIDE.max(length.div_ceil(MOTIONS_MAX));
    let fewest = MOTIONS_MIN.div_ceil((path.len() as u64).max(1));
    legs()
        .flat_map(|(&start, &end)| {
            let parts = distance(start, end).div_ceil(stride).max(fewest);
            (1..=parts).map(move |part| NativePoint {
                x: between(start.x, end.x, part, parts),
                y: between(start.y, end.y, part, parts),
            })
        })
        .collect()
}

/// The greater of the two distances, which is what separates neighbouring pixels of a line.
fn distance(start: NativePoint, end: NativePoint) -> u64 {
    start.x.abs_diff(end.x).max(start.y.abs_diff(end.y)).into()
}

/// The nearest pixel at `part / parts` of the way; always between the two.
fn between(start: u16, end: u16, part: u64, parts: u64) -> u16 {
    let moved = (2 * u64::from(start.abs_diff(end)) * part + parts) / (2 * parts);
    let moved = u16::try_from(moved).unwrap_or(u16::MAX);
    if start <= end { start.saturating_add(moved) } else { start.saturating_sub(moved) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::limits::DRAG_POINTS_MAX;

    const LEFT: ButtonNumber = ButtonNumber(1);

    fn point(x: u16, y: u16) -> NativePoint {
        NativePoint { x, y }
    }

    #[test]
    fn a_straight_drag_moves_in_even_strides() {
        let points = motion(point(0, 0), &[point(64, 32)]);
        assert_eq!(points, [point(16, 8), point(32, 16), point(48, 24), point(64, 32)]);
        assert_eq!(motion(point(10, 0), &[point(8, 0)]).len(), 4, "short drags have four motions too");
    }

    #[test]
    fn the_target_has_time_before_the_last_pixel_and_after_it() {
        let steps = drag_steps(point(0, 50), &[point(64, 50)], LEFT);
        assert_eq!(
            steps[steps.len() - 7..],
            [
                Step::Move(point(63, 50)),
                Step::Delay(Milliseconds(4)),
                Step::Delay(TARGET_TIME),
                Step::Move(point(64, 50)),
                Step::Expect(Expectation::Pointer(point(64, 50))),
                Step::Delay(TARGET_TIME),
                Step::Button(LEFT, Direction::Release),
            ]
        );
    }

    proptest! {
        #[test]
        fn a_drag_visits_its_points_stays_between_them_and_is_bounded(
            from: (u16, u16),
            path in prop::collection::vec((0..3840u16, 0..2160u16), 1..200),
        ) {
            let from = point(from.0 % 3840, from.1 % 2160);
            let path: Vec<_> = path.into_iter().map(|(x, y)| point(x, y)).collect();
            let points = motion(from, &path);
            prop_assert!(points.len() >= 4);
            prop_assert!(points.len() as u64 <= MOTIONS_MAX + MOTIONS_MIN * path.len() as u64);
            prop_assert!(points.iter().all(|point| point.x < 3840 && point.y < 2160));
            let mut visited = points.iter();
            prop_assert!(path.iter().all(|corner| visited.any(|point| point == corner)), "the corners come in order");
            let steps = drag_steps(from, &path, LEFT);
            let waited: u32 = steps.iter().map(|step| if let Step::Delay(time) = step { time.0 } else { 0 }).sum();
            prop_assert!(u64::from(waited) <= MOTIONS_TIME_MS + u64::from(PRESS_TIME.0 + 2 * TARGET_TIME.0));
        }
    }

    #[test]
    fn the_longest_drag_stays_within_bounds() {
        let path: Vec<_> =
            (0..DRAG_POINTS_MAX).map(|number| if number % 2 == 0 { point(3839, 2159) } else { point(0, 0) }).collect();
        let steps = drag_steps(point(0, 0), &path, LEFT);
        assert!(steps.len() < 3 * DRAG_POINTS_MAX);
    }
}
