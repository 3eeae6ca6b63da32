//! What an action on the input thread comes to: what was done, or why not and how far it got.

use std::time::Duration;

use thiserror::Error;

use super::{
    connection::{LinkError, OPERATION_TIME},
    grabs::Device,
    input_method::Framework,
};
use crate::{
    plan::steps::PlanError,
    protocol::{
        answer::Held,
        error::{ErrorKind, Executed, Failure, Process},
        units::NativePoint,
    },
};

/// An action that the server has carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Performed {
    /// Where the pointer stood afterwards.
    pub pointer: NativePoint,
    /// What was held afterwards.
    pub held: Held,
    /// How long the action waited for its turn.
    pub queued: Duration,
    /// How long it took from its turn to the server's last answer.
    pub acted: Duration,
}

/// Why an action ended early.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InputCause {
    /// Its permit was cancelled.
    #[error("the action was cancelled")]
    Cancelled,
    /// Its permit's deadline passed.
    #[error("the action did not end before its deadline; give it more time with deadline_ms")]
    DeadlineExceeded,
    /// The server did not answer.
    #[error("the display did not answer within {} s; try again when its process runs", OPERATION_TIME.as_secs_f32())]
    Unresponsive,
    /// The connection ended.
    #[error("the display was lost: {0}; take a screenshot when it is back")]
    Lost(String),
    /// The pointer could not get where the action needed it, or was taken away as a button went down. At the place nothing was
    /// clicked.
    #[error(
        "the pointer cannot reach the place, something confines or moves it; nothing was clicked there; close what holds the pointer"
    )]
    PointerBlocked {
        /// Where the pointer is.
        at: NativePoint,
    },
    /// A program holds the pointer still.
    #[error("a program has frozen the pointer; what was sent waits in the X server; see which program does not answer")]
    PointerFrozen,
    /// Another program has taken the keyboard or the pointer for itself.
    #[error("{}", grabbed(*.device, .process.as_ref()))]
    InputGrabbed {
        /// Which of them.
        device: Device,
        /// Who; `None` where that cannot be known for certain.
        process: Option<Process>,
    },
    /// An input method would make other characters of the keys. Nothing was typed.
    #[error(
        "the input method \"{engine}\" of {framework} is on and makes other characters of the keys; nothing was typed; use \
         `paste`, or switch it to a plain keyboard layout"
    )]
    InputMethod {
        /// Its name.
        engine: String,
        /// Whose engine it is.
        framework: Framework,
    },
    /// Another window than the expected one would get the input. Nothing was sent.
    #[error("{0}")]
    TargetMismatch(String),
    /// The operator's policy forbids it.
    #[error("{0}")]
    Forbidden(String),
    /// Others could read the keys of a secret.
    #[error(
        "a secret is only typed while nobody else is connected to the display, but {0}; end that program, name its executable with \
         --secret-client, or put the secret with `allow_unconfined`; nothing was typed"
    )]
    NotConfined(String),
    /// No window would receive the keys.
    #[error("no window has the keyboard focus; click into the window that should receive the keys, then try again")]
    FocusLost,
    /// Another executor uses the keyboard.
    #[error("another executor has been typing on this display for 5 s; stop it, or try again when it has finished")]
    AnotherExecutor,
    /// Somebody else changed the keyboard's layout while a text was typed.
    #[error("another program changed the keyboard layout while typing; type the rest of the text")]
    KeymapChanged,
    /// No key has a character or a symbol, and none can be given to it. Nothing was sent.
    #[error(transparent)]
    Unmappable(#[from] PlanError),
    /// The spare keys are used up, and whether the application has read them all cannot be learned.
    #[error(
        "every spare key carries a character already, and the application cannot tell when it has read them; paste the rest"
    )]
    NoSpareKeys,
    /// The application did not say in time that it had consumed the keys.
    #[error("the application did not acknowledge the text in time; see whether it hangs, then type the rest")]
    Unacknowledged,
    /// The application did not take the text that was to be pasted.
    #[error(
        "the application did not {} within 1.5 s; see whether it can paste here, or use `type`",
        if *.delivered { "fetch the text that it was told of" } else { "ask for the text on shift+Insert" }
    )]
    ClipboardTimeout {
        /// It had been told where the text is, so nobody can tell whether it has it. Else it gets nothing any more.
        delivered: bool,
    },
    /// Another program made the selection its own before the application had the text.
    #[error("another program took the clipboard during the paste; see what the window received, then paste again")]
    ClipboardLost,
    /// Other programs ask for the clipboard so often that the paste found no room.
    #[error("other programs keep the clipboard busy, so nothing could be offered; end what asks for it, or use `type`")]
    ClipboardBusy,
    /// Another program holds the whole X server. What is done with connections that were there before works.
    #[error(
        "another program holds the display (XGrabServer), so nothing new can connect; end that program, or use `type`"
    )]
    DisplayGrabbed,
    /// The desktop is being closed.
    #[error("the desktop is being closed")]
    ShuttingDown,
    /// A defect in Deskhand; what the action had pressed was released.
    #[error("an internal error ended the action: {0}; what it had pressed was released; please report it")]
    Internal(String),
}

fn grabbed(device: Device, process: Option<&Process>) -> String {
    let who = match process {
        Some(Process { pid, executable: Some(executable) }) => format!("process {pid}, {executable},"),
        Some(Process { pid, executable: None }) => format!("process {pid}"),
        None => "another program".to_owned(),
    };
    format!(
        "{who} holds the {device}, so input does not reach the window; close its menu or dialog, or end the program"
    )
}

impl InputCause {
    /// The wire's word for it.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Cancelled => ErrorKind::Cancelled,
            Self::DeadlineExceeded | Self::Unacknowledged => ErrorKind::DeadlineExceeded,
            Self::Unresponsive | Self::Lost(_) => ErrorKind::DisplayLost,
            Self::PointerBlocked { .. } => ErrorKind::PointerBlocked,
            Self::PointerFrozen | Self::AnotherExecutor | Self::InputGrabbed { .. } | Self::InputMethod { .. } => {
                ErrorKind::InputGrabbed
            }
            Self::TargetMismatch(_) => ErrorKind::TargetMismatch,
            Self::Forbidden(_) => ErrorKind::Forbidden,
            Self::NotConfined(_) => ErrorKind::DisplayNotConfined,
            Self::FocusLost => ErrorKind::FocusLost,
            Self::KeymapChanged => ErrorKind::KeymapChanged,
            Self::Unmappable(_) | Self::NoSpareKeys => ErrorKind::UnmappableCharacter,
            Self::ClipboardTimeout { .. } | Self::ClipboardLost | Self::ClipboardBusy => ErrorKind::ClipboardTimeout,
            Self::DisplayGrabbed => ErrorKind::DisplayGrabbed,
            Self::ShuttingDown => ErrorKind::ShuttingDown,
            Self::Internal(_) => ErrorKind::Internal,
        }
    }
}

impl From<LinkError> for InputCause {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Unresponsive => Self::Unresponsive,
            LinkError::Lost(reason) => Self::Lost(reason),
            LinkError::Refused(what) => Self::Internal(what),
        }
    }
}

/// An action that ended early. What it had pressed is released, or will be as soon as the server runs again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{cause}")]
pub struct InputError {
    /// Why.
    pub cause: InputCause,
    /// How far it got.
    pub executed: Executed,
    /// For a text: how many of its characters, from the beginning, the display has received.
    pub typed: Option<u32>,
}

impl InputError {
    /// An error before anything was sent.
    pub const fn before(cause: InputCause) -> Self {
        Self { cause, executed: Executed::No, typed: None }
    }
}

/// The pointer's place of [`InputCause::PointerBlocked`] is left out: only the session knows its coordinates.
impl From<InputError> for Failure {
    fn from(error: InputError) -> Self {
        let mut failure = Self::new(error.cause.kind(), error.cause.to_string()).executed(error.executed);
        if let InputCause::InputGrabbed { process: Some(process), .. } = error.cause {
            failure = failure.with(|detail| detail.process = Some(process));
        }
        match error.typed {
            Some(typed) => failure.with(|detail| detail.typed = Some(typed)),
            None => failure,
        }
    }
}

/// A question that the display did not answer: nothing was sent that changes anything.
impl From<LinkError> for Failure {
    fn from(error: LinkError) -> Self {
        InputError::before(error.into()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_keeps_the_kind_how_far_it_got_and_how_much_was_typed() {
        let error = InputError { cause: InputCause::KeymapChanged, executed: Executed::Partial, typed: Some(7) };
        let failure = Failure::from(error);
        assert_eq!((failure.kind, failure.executed), (ErrorKind::KeymapChanged, Executed::Partial));
        assert_eq!(failure.detail.unwrap().typed, Some(7));
        assert!(Failure::from(InputError::before(InputCause::FocusLost)).detail.is_none());
        let process = Some(Process { pid: 7, executable: Some("/bin/x".to_owned()) });
        let held = InputCause::InputGrabbed { device: Device::Keyboard, process: process.clone() };
        let failure = Failure::from(InputError::before(held));
        assert!(failure.message.starts_with("process 7, /bin/x, holds the keyboard"), "{}", failure.message);
        assert_eq!((failure.kind, failure.detail.unwrap().process), (ErrorKind::InputGrabbed, process));
    }
}
