//! Questions about the display that never wait behind actions or pictures: a thread with a connection of its own.

use std::{io, thread};

use tokio::sync::oneshot;
use x11rb::protocol::xproto::{AtomEnum, ConnectionExt as _, InputFocus, Window};

use super::{
    connection::{Link, LinkError, OPERATION_TIME},
    ended::{EndSignal, Ended},
    inbox::{Hearing, Inbox, Next, Slot},
    sanitize::sanitize,
    toplevel,
};
use crate::protocol::{units::NativePoint, window::SeenWindow};

/// The longest text of a foreign property that is read, in bytes: a title of that length is cut in every window list, and
/// nobody can make us hold more.
const TEXT_BYTES: u32 = 256;
/// How far up from the focus window a class is looked for. Toolkits focus a child of their top level, which lies in the
/// window manager's frame; deeper nesting is not seen in practice, and a hostile client must not make us climb for ever.
const ANCESTORS: usize = 8;
/// Extensions that matter here: for input, capture, settling, true process ids, and what `doctor` warns about.
const EXTENSIONS: [&str; 9] =
    ["MIT-SHM", "XTEST", "XKEYBOARD", "XFIXES", "RANDR", "DAMAGE", "X-Resource", "RECORD", "SECURITY"];

/// Where keys go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Focus {
    /// Nowhere: they are thrown away.
    None,
    /// To the window under the pointer; so it is on a display without a window manager.
    PointerRoot,
    /// To a window.
    Window {
        /// Its id.
        id: u32,
        /// `WM_CLASS` of it or the nearest ancestor that has one: the instance, then the class.
        class: Option<[String; 2]>,
        /// The title of that same window.
        title: Option<String>,
    },
}

/// Where input would go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// To what is at a place of the screen.
    At(NativePoint),
    /// To what is under the pointer.
    Pointer,
    /// To what has the keyboard.
    Keys,
}

/// What is on the display. All text is sanitised and at most 256 bytes long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayFacts {
    /// The name of the window manager, if one runs that announces itself (EWMH).
    pub window_manager: Option<String>,
    /// Which of the extensions that matter the server has, by their names in the protocol.
    pub extensions: Vec<String>,
    /// Where keys go.
    pub focus: Focus,
}

/// An answer that will come within about a deadline. It is a receive error only if the thread is gone, which is a defect.
pub type Answer<T> = oneshot::Receiver<Result<T, LinkError>>;

enum Question {
    Pointer(oneshot::Sender<Result<NativePoint, LinkError>>),
    RoundTrip(oneshot::Sender<Result<(), LinkError>>),
    Facts(oneshot::Sender<Result<DisplayFacts, LinkError>>),
    Target(Aim, oneshot::Sender<Result<Vec<SeenWindow>, LinkError>>),
    Exists(Window, oneshot::Sender<Result<bool, LinkError>>),
}

/// The observing thread of one display. It ends when this is dropped.
#[derive(Debug)]
pub struct Observer {
    questions: Slot<Question>,
}

impl Observer {
    /// Starts the thread. It asks the display nothing by itself. Without its connection nothing can be asked any more, so the
    /// connection's end is the end of the desktop.
    pub fn start(link: Link, ended: EndSignal) -> io::Result<Self> {
        let (questions, asked) = Inbox::new()?;
        thread::Builder::new().name("observer".into()).spawn(move || run(&link, &asked, &ended))?;
        Ok(Self { questions })
    }

    /// Where the pointer is.
    pub fn pointer(&self) -> Answer<NativePoint> {
        self.ask(Question::Pointer)
    }

    /// Whether the display answers.
    pub fn round_trip(&self) -> Answer<()> {
        self.ask(Question::RoundTrip)
    }

    /// What is on the display.
    pub fn facts(&self) -> Answer<DisplayFacts> {
        self.ask(Question::Facts)
    }

    /// The window that input would reach and, after a pop-up, the one that it came out of; nothing where there is none.
    pub fn target(&self, aim: Aim) -> Answer<Vec<SeenWindow>> {
        self.ask(|sender| Question::Target(aim, sender))
    }

    /// Whether there is a window of this id, seen or not.
    pub fn exists(&self, window: Window) -> Answer<bool> {
        self.ask(|sender| Question::Exists(window, sender))
    }

    fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<Result<T, LinkError>>) -> Question) -> Answer<T> {
        let (sender, receiver) = oneshot::channel();
        // If the thread is gone, the sender is dropped with the question and the receiver tells.
        self.questions.put(question(sender));
        receiver
    }
}

fn run(link: &Link, questions: &Inbox<Question>, ended: &EndSignal) {
    let lost = loop {
        let answered = match questions.next(link, None, |_, _| Hearing::GoOn) {
            Ok(Next::Question(Question::Pointer(sender))) => answer(link, questions, sender, pointer),
            Ok(Next::Question(Question::RoundTrip(sender))) => answer(link, questions, sender, Link::round_trip),
            Ok(Next::Question(Question::Facts(sender))) => answer(link, questions, sender, facts),
            Ok(Next::Question(Question::Target(aim, sender))) => {
                answer(link, questions, sender, |link| target(link, aim))
            }
            Ok(Next::Question(Question::Exists(window, sender))) => {
                answer(link, questions, sender, |link| exists(link, window))
            }
            Ok(Next::Timeout | Next::Heard) => Ok(()),
            Ok(Next::Closed) => return,
            Err(error) => Err(error),
        };
        if let Err(LinkError::Lost(reason)) = answered {
            break reason;
        }
    };
    ended.end(Ended::Lost { reason: lost.clone() });
    questions.refuse_all(|question| refuse(question, LinkError::Lost(lost.clone())));
}

/// Answers one question within a deadline. That the one who asked has gone is no error.
fn answer<T>(
    link: &Link,
    questions: &Inbox<Question>,
    sender: oneshot::Sender<Result<T, LinkError>>,
    find: impl FnOnce(&Link) -> Result<T, LinkError>,
) -> Result<(), LinkError> {
    let _deadline = link.within(OPERATION_TIME);
    let found = find(link);
    // Whoever asked during a wait that timed out has waited long enough: nobody is to wait for several deadlines. They are
    // taken before anyone is answered, so that a question that follows on an answer gets an attempt of its own.
    let timed_out = matches!(found, Err(LinkError::Unresponsive));
    let waiting: Vec<Question> = if timed_out { questions.waiting().collect() } else { Vec::new() };
    let outcome = found.as_ref().map(|_| ()).map_err(Clone::clone);
    drop(sender.send(found));
    for question in waiting {
        refuse(question, LinkError::Unresponsive);
    }
    outcome
}

fn refuse(question: Question, error: LinkError) {
    match question {
        Question::Pointer(sender) => drop(sender.send(Err(error))),
        Question::RoundTrip(sender) => drop(sender.send(Err(error))),
        Question::Facts(sender) => drop(sender.send(Err(error))),
        Question::Target(_, sender) => drop(sender.send(Err(error))),
        Question::Exists(_, sender) => drop(sender.send(Err(error))),
    }
}

fn exists(link: &Link, window: Window) -> Result<bool, LinkError> {
    match link.reply(link.connection.get_window_attributes(window)) {
        Ok(_) => Ok(true),
        // The X error that says that there is none.
        Err(LinkError::Refused(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

fn target(link: &Link, aim: Aim) -> Result<Vec<SeenWindow>, LinkError> {
    let at = match aim {
        Aim::At(place) => place,
        Aim::Pointer => pointer(link)?,
        Aim::Keys => {
            let focus = link.reply(link.connection.get_input_focus())?.focus;
            if focus == u32::from(InputFocus::NONE) {
                return Ok(Vec::new());
            }
            if focus != u32::from(InputFocus::POINTER_ROOT) && focus != link.root {
                return toplevel::around(link, focus);
            }
            pointer(link)?
        }
    };
    toplevel::at(link, at)
}

fn pointer(link: &Link) -> Result<NativePoint, LinkError> {
    let reply = link.reply(link.connection.query_pointer(link.root))?;
    // A display has one screen here, so the pointer is on it and its position is not negative.
    Ok(NativePoint { x: reply.root_x.unsigned_abs(), y: reply.root_y.unsigned_abs() })
}

fn facts(link: &Link) -> Result<DisplayFacts, LinkError> {
    Ok(DisplayFacts { window_manager: window_manager(link)?, extensions: extensions(link)?, focus: focus(link)? })
}

fn extensions(link: &Link) -> Result<Vec<String>, LinkError> {
    let mut present = Vec::new();
    let mut error = None;
    // Not x11rb's own memory of extensions: one failed wait there makes an extension missing for ever. All are asked at
    // once; all answers are taken, even after a failure, so that none stays behind.
    for (name, sent) in EXTENSIONS.map(|name| (name, link.connection.query_extension(name.as_bytes()))) {
        match link.reply(sent) {
            Ok(reply) if reply.present => present.push(name.to_owned()),
            Ok(_) => {}
            Err(failed) => error = Some(failed),
        }
    }
    error.map_or(Ok(present), Err)
}

/// The window manager announces itself with a window that names itself (EWMH, `_NET_SUPPORTING_WM_CHECK`); without that
/// second half the property is what a dead one left behind.
fn window_manager(link: &Link) -> Result<Option<String>, LinkError> {
    let check = atom(link, b"_NET_SUPPORTING_WM_CHECK")?;
    let Some(window) = window_property(link, link.root, check)? else { return Ok(None) };
    if window_property(link, window, check)? != Some(window) {
        return Ok(None);
    }
    let name = atom(link, b"_NET_WM_NAME")?;
    Ok(text_property(link, window, name)?.map(|name| sanitize(&name, TEXT_BYTES as usize)))
}

fn focus(link: &Link) -> Result<Focus, LinkError> {
    let focus = link.reply(link.connection.get_input_focus())?.focus;
    if focus == u32::from(InputFocus::NONE) {
        return Ok(Focus::None);
    }
    if focus == u32::from(InputFocus::POINTER_ROOT) {
        return Ok(Focus::PointerRoot);
    }
    let mut window = focus;
    for _ in 0..ANCESTORS {
        if let Some(class) = text_property(link, window, AtomEnum::WM_CLASS.into())? {
            return Ok(Focus::Window { id: focus, class: Some(class_names(&class)), title: title(link, window)? });
        }
        let Some(tree) = optional(link.reply(link.connection.query_tree(window)))? else { break };
        if tree.parent == link.root || tree.parent == x11rb::NONE {
            break;
        }
        window = tree.parent;
    }
    Ok(Focus::Window { id: focus, class: None, title: title(link, focus)? })
}

/// Instance and class, each ended by a zero byte (ICCCM, section 4.1.2.5).
fn class_names(property: &[u8]) -> [String; 2] {
    let mut names = property.split(|&byte| byte == 0).map(|name| sanitize(name, TEXT_BYTES as usize));
    std::array::from_fn(|_| names.next().unwrap_or_default())
}

fn title(link: &Link, window: Window) -> Result<Option<String>, LinkError> {
    let modern = atom(link, b"_NET_WM_NAME")?;
    let title = match text_property(link, window, modern)? {
        Some(title) => Some(title),
        None => text_property(link, window, AtomEnum::WM_NAME.into())?,
    };
    Ok(title.map(|title| sanitize(&title, TEXT_BYTES as usize)))
}

/// The atom of a name; `x11rb::NONE` if no client has ever used it, and then no window has such a property.
fn atom(link: &Link, name: &[u8]) -> Result<u32, LinkError> {
    Ok(link.reply(link.connection.intern_atom(true, name))?.atom)
}

/// At most [`TEXT_BYTES`] of a property with 8-bit elements of any type, whether its owner calls it a string or not.
fn text_property(link: &Link, window: Window, property: u32) -> Result<Option<Vec<u8>>, LinkError> {
    if property == x11rb::NONE {
        return Ok(None);
    }
    let any = u32::from(AtomEnum::ANY);
    let reply = link.reply(link.connection.get_property(false, window, property, any, 0, TEXT_BYTES / 4));
    Ok(optional(reply)?.filter(|reply| reply.format == 8).map(|reply| reply.value))
}

fn window_property(link: &Link, window: Window, property: u32) -> Result<Option<Window>, LinkError> {
    if property == x11rb::NONE {
        return Ok(None);
    }
    let reply = link.reply(link.connection.get_property(false, window, property, AtomEnum::WINDOW, 0, 1));
    Ok(optional(reply)?.and_then(|reply| reply.value32()?.next()))
}

/// A window may be gone by the time it is asked about; that is not the display's failure.
fn optional<T>(reply: Result<T, LinkError>) -> Result<Option<T>, LinkError> {
    match reply {
        Ok(reply) => Ok(Some(reply)),
        Err(LinkError::Refused(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
