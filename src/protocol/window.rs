//! Which window is meant (`_meta.expect_window`, `wait_for`), and which windows there are (`windows.list`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    error::{ErrorKind, Failure},
    wire::Whole,
};

/// A window by what it says of itself. All that is given must hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowParams {
    /// The X id of the window, of the frame around it, or of the window inside it that is meant.
    id: Option<Whole>,
    /// The instance or the class of `WM_CLASS`; upper and lower case do not matter.
    class: Option<String>,
    /// A part of the title; upper and lower case do matter.
    title: Option<String>,
}

/// A checked [`WindowParams`]: at least one of the three.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WindowMatch {
    id: Option<u32>,
    class: Option<String>,
    title: Option<String>,
}

/// A window as the display shows it. All text is sanitised, as it is wherever a controller sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenWindow {
    /// The application's own window first, then what is around it and what was found inside it.
    pub ids: Vec<u32>,
    /// Instance and class.
    pub class: [String; 2],
    /// The title.
    pub title: String,
}

/// `windows.list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WindowsResult {
    /// The windows that are mapped and not all beside the screen, also where others cover them, in stacking order: the lowest
    /// first. Of more than 512 the topmost.
    pub windows: Vec<ListedWindow>,
}

/// A window that an application has on the screen. Place and size are those of its content, without the window manager's frame,
/// in the session's coordinates; a part of it may lie outside the screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ListedWindow {
    /// Its X id.
    pub id: u32,
    /// The class of `WM_CLASS`, sanitised; empty where it has none.
    pub class: String,
    /// The instance of `WM_CLASS`, likewise.
    pub instance: String,
    /// The title, likewise.
    pub title: String,
    /// The left edge.
    pub x: i32,
    /// The upper edge.
    pub y: i32,
    /// At least 1.
    pub width: i32,
    /// At least 1.
    pub height: i32,
    /// Whether keys go to it.
    pub active: bool,
}

impl WindowParams {
    /// # Errors
    /// `invalid_params` when nothing is given or something empty, `out_of_range` for an id that no window has.
    pub fn check(self) -> Result<WindowMatch, Failure> {
        if self.id.is_none() && self.class.is_none() && self.title.is_none() {
            let message = "expect_window names no window; give at least one of id, class, title";
            return Err(Failure::new(ErrorKind::InvalidParams, message));
        }
        check_texts("expect_window", self.class.as_deref(), self.title.as_deref())?;
        // The three highest bits of a resource id are zero (X11 protocol, "Types"), and 0 is no window.
        let id = self.id.map(|Whole(id)| {
            let valid = u32::try_from(id).ok().filter(|id| (1..=0x1fff_ffff).contains(id));
            valid.ok_or_else(|| super::wire::out_of_range("expect_window.id", id, "1..=536870911"))
        });
        Ok(WindowMatch { id: id.transpose()?, class: self.class, title: self.title })
    }
}

/// # Errors
/// `invalid_params` for a text that every window fits.
fn check_texts(name: &str, class: Option<&str>, title: Option<&str>) -> Result<(), Failure> {
    if class == Some("") || title == Some("") {
        let message = format!("{name} has an empty class or title, which says nothing; leave it out");
        return Err(Failure::new(ErrorKind::InvalidParams, message));
    }
    Ok(())
}

impl WindowMatch {
    /// A window by class, title or both, given in the parameter `name`.
    ///
    /// # Errors
    /// `invalid_params` when nothing is given or something empty.
    pub fn new(name: &str, class: Option<String>, title: Option<String>) -> Result<Self, Failure> {
        if class.is_none() && title.is_none() {
            let message = format!("{name} names no window; give class, title or both");
            return Err(Failure::new(ErrorKind::InvalidParams, message));
        }
        check_texts(name, class.as_deref(), title.as_deref())?;
        Ok(Self { id: None, class, title })
    }

    /// The window of an id, whatever it says of itself.
    pub const fn of_id(id: u32) -> Self {
        Self { id: Some(id), class: None, title: None }
    }

    /// The class that is asked for.
    pub fn class(&self) -> Option<&str> {
        self.class.as_deref()
    }

    /// The part of the title that is asked for.
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// Whether this is the window that is meant.
    pub fn accepts(&self, window: &SeenWindow) -> bool {
        self.id.is_none_or(|id| window.ids.contains(&id))
            && self.class.as_ref().is_none_or(|class| {
                let class = class.to_lowercase();
                window.class.iter().any(|name| name.to_lowercase() == class)
            })
            && self.title.as_ref().is_none_or(|title| window.title.contains(title.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    fn read(value: serde_json::Value) -> Result<WindowMatch, ErrorKind> {
        from_value::<WindowParams>(value).map_err(|_| ErrorKind::InvalidParams)?.check().map_err(|failure| failure.kind)
    }

    #[test]
    fn a_window_is_known_by_everything_that_is_given() {
        let seen = SeenWindow {
            ids: vec![7, 8],
            class: ["navigator".to_owned(), "Firefox-ÉSR".to_owned()],
            title: "Inbox – Mail".to_owned(),
        };
        let accepts = |value| read(value).map(|window| window.accepts(&seen));
        for good in [
            json!({"id": 8}),
            json!({"class": "NAVIGATOR"}),
            json!({"class": "firefox-ésr"}),
            json!({"title": "box – M"}),
            json!({"id": 7, "class": "firefox-ésr", "title": "Mail"}),
        ] {
            assert_eq!(accepts(good.clone()), Ok(true), "{good}");
        }
        for other in [
            json!({"id": 9}),
            json!({"class": "fire"}),
            json!({"title": "mail"}),
            json!({"id": 7, "class": "xterm", "title": "Mail"}),
        ] {
            assert_eq!(accepts(other.clone()), Ok(false), "{other}");
        }
    }

    #[test]
    fn what_names_no_window_is_refused() {
        for wrong in [json!({}), json!({"class": ""}), json!({"title": ""}), json!({"name": "x"}), json!({"id": "7"})] {
            assert_eq!(read(wrong.clone()), Err(ErrorKind::InvalidParams), "{wrong}");
        }
        for outside in [0, -1, 0x2000_0000_i64] {
            assert_eq!(read(json!({ "id": outside })), Err(ErrorKind::OutOfRange), "{outside}");
        }
        assert!(read(json!({"id": 0x1fff_ffff})).is_ok());
    }
}
