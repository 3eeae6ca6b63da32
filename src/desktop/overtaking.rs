//! Programs in which a character beyond U+FFFF overtakes those that were typed before it, from any keyboard.
//!
//! `LibreOffice` Writer gathers plain characters as long as more keys wait in its queue, and for 20 ms after them, but puts a
//! character that is two units of UTF-16 straight into the document: of 16 emoji with spaces between, typed without a pause,
//! all stood before the spaces, with each of its ways of taking keys (`gen`, GTK 3). A static keymap and XTEST show the same.
//! When no further key waits as it takes a plain character, it puts that into the document at once. So it is asked whether
//! it has taken what was sent, before such a character is pressed; that is exact however slow it is, and costs some 5 ms each time.

use x11rb::protocol::xproto::Window;

use super::{connection::LinkError, station::Station, toplevel};

/// What becomes of a character beyond U+FFFF that is typed behind others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// It stands behind them, as anywhere else.
    Kept,
    /// It may stand before them.
    Lost,
}

/// What is known of the window that an action types into: looked up once, and only for a text that has such characters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overtaking {
    known: Option<(Window, Order)>,
    /// How many characters had been typed when the program was asked last.
    asked_at: u32,
}

impl Overtaking {
    /// What becomes of the order in the application of a window.
    pub fn order_in(&mut self, station: &Station, window: Window) -> Result<Order, LinkError> {
        if let Some((known, order)) = self.known
            && known == window
        {
            return Ok(order);
        }
        let found = toplevel::around(station.link(), window)?;
        let is_lost = found.iter().any(|window| order_of(&window.class) == Order::Lost);
        let order = if is_lost { Order::Lost } else { Order::Kept };
        self.known = Some((window, order));
        Ok(order)
    }

    /// How many characters the program may have to read before it answers, the text having come so far.
    pub fn unread(&mut self, typed: u32) -> u32 {
        typed - std::mem::replace(&mut self.asked_at, typed).min(typed)
    }
}

/// What `WM_CLASS`, the instance and the class, says about the order. A program that claims another's name is typed into a
/// little slower. Calc keeps the order.
fn order_of(class: &[String; 2]) -> Order {
    let is_office = |name: &String| {
        let name = name.to_ascii_lowercase();
        name.starts_with("libreoffice") || name == "soffice"
    };
    let is_calc = class.iter().any(|name| name.eq_ignore_ascii_case("libreoffice-calc"));
    if class.iter().any(is_office) && !is_calc { Order::Lost } else { Order::Kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_window_of_the_office_counts_but_those_of_calc_and_no_other() {
        let order = |instance: &str, class: &str| order_of(&[instance.to_owned(), class.to_owned()]);
        assert_eq!(order("libreoffice", "libreoffice-writer"), Order::Lost);
        assert_eq!(order("libreoffice", "LibreOffice 7.4"), Order::Lost);
        assert_eq!(order("soffice", "Soffice"), Order::Lost);
        assert_eq!(order("libreoffice", "libreoffice-calc"), Order::Kept);
        assert_eq!(order("mousepad", "Mousepad"), Order::Kept);
        assert_eq!(order("", ""), Order::Kept);
    }

    #[test]
    fn only_what_was_typed_since_the_last_answer_is_waited_for() {
        let mut overtaking = Overtaking::default();
        assert_eq!([700, 702, 702].map(|typed| overtaking.unread(typed)), [700, 2, 0]);
    }
}
