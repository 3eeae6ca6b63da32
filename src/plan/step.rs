//! The small language between a plan and the display: what the input thread carries out, one X request or wait a step.

use super::keymap::{KeyDescription, KeyType, ModifierMask};
use crate::protocol::units::{Milliseconds, NativePoint};

/// An X keycode, 8 to 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Keycode(pub u8);

/// An X keysym. Unicode characters above Latin-1 are `0x0100_0000 | code point` (X11 protocol, appendix A).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Keysym(pub u32);

/// An X button number: 1 left, 2 middle, 3 right, 4 to 7 wheel, 8 back, 9 forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ButtonNumber(pub u8);

impl ButtonNumber {
    /// The bit of the button in a key and button mask (X protocol, `KEYBUTMASK`): there are bits for five, from bit 8 on.
    pub const fn mask(self) -> u16 {
        if self.0 >= 1 && self.0 <= 5 { 0x80 << self.0 } else { 0 }
    }
}

/// Which way a key or button goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Down.
    Press,
    /// Up.
    Release,
}

/// A layout group, 0 to 3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Group(pub u8);

/// A key that sets a modifier while it is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModifierKey {
    /// Which key; it means `ISO_Level5_Shift` and nothing else.
    pub keycode: Keycode,
    /// Which modifier.
    pub modifier: ModifierMask,
}

/// A change of the keymap, set in one request: characters that no key holds get places on keys with room for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Key types to add behind those that the keymap has.
    pub types: Vec<KeyType>,
    /// Keys as they are from now on.
    pub keys: Vec<KeyDescription>,
    /// A key that leads to the upper levels, where the keymap has none.
    pub modifier: Option<ModifierKey>,
}

/// What a press of a button begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presses {
    /// One click. Two such clicks in a row may be taken for a double click, as those of a person are.
    Single,
    /// A double or triple click, or a drag, which mean something else when they are counted together with others.
    Apart,
}

/// What must be true before the plan goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// The pointer stands here; otherwise the action ends as `pointer_blocked`.
    Pointer(NativePoint),
    /// A window would receive keys; otherwise `focus_lost`.
    Focus,
}

/// One step of a plan. A plan leaves nothing pressed that it pressed, except where the controller asked for just that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Moves the pointer by XTEST.
    Move(NativePoint),
    /// Presses or releases a key by XTEST.
    Key(Keycode, Direction),
    /// Presses or releases a button by XTEST.
    Button(ButtonNumber, Direction),
    /// Waits. Short waits are the X server's own (`XTestFakeInput` delay), long ones a timer that cancel ends.
    Delay(Milliseconds),
    /// Waits until no program would count the presses that follow, of this button at the pointer's place, together with those of
    /// an action before, where that would make something else of either.
    Anew(ButtonNumber, Presses),
    /// Locks a layout group.
    LockGroup(Group),
    /// Locks exactly these modifiers, as Num Lock does.
    LockModifiers(ModifierMask),
    /// Changes the keymap.
    Remap(Page),
    /// Checks what must be true.
    Expect(Expectation),
    /// Waits until the focused application has looked up every key sent so far.
    Acknowledge,
    /// The character that follows is beyond U+FFFF and the one before is not: waits until the focused application has taken
    /// what was sent so far, if it is one in which such a character overtakes others.
    KeepOrder,
    /// From here on nobody else is served, until the action ends: looks once more where the keys go and who could read them.
    Seal,
    /// So many characters of the text have been sent up to here; for `typed: n`.
    Typed(u32),
}
