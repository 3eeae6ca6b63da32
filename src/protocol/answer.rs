//! What results consist of.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    action::Button,
    identity::Role,
    initialize::ImageTransfer,
    message::{Base64, PictureFile},
    observe::Settled,
    policy::PolicyInformation,
    screen::CoordinateSpace,
    task::TaskId,
    units::{FrameId, ScreenSize},
};

/// What is held down, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Held {
    /// X keysym names in the order of pressing.
    pub keys: Vec<String>,
    /// Buttons.
    pub buttons: Vec<Button>,
}

/// Where the time of a request went, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Timing {
    /// Until the display began with it.
    pub queue_us: u64,
    /// Acting.
    pub act_us: u64,
    /// Waiting for the screen to settle.
    pub settle_us: u64,
    /// Reading the screen.
    pub capture_us: u64,
    /// Encoding the picture.
    pub encode_us: u64,
}

/// What every action's result carries beside its picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ActionResult {
    /// The short text for a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// `scroll_pixels`: how far the wheel was turned, to the right and down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notches: Option<[i8; 2]>,
    /// Where the pointer is, in session coordinates.
    pub cursor: [i32; 2],
    /// The last captured picture.
    pub frame: FrameId,
    /// What is held down by this server.
    pub held: Held,
    /// Where the time went.
    pub timing: Timing,
    /// How the screen settled, where that was waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled: Option<Settled>,
}

/// A picture's description; its bytes follow in `data` or went before as a binary message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ImageResult {
    /// `image/png`, `image/jpeg` or `image/webp`.
    pub mime: &'static str,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// The length of the encoded picture.
    pub bytes: usize,
    /// The encoded picture in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The id of the binary message that holds the encoded picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachment: Option<u64>,
}

/// An encoded picture on its way into an answer.
#[derive(Clone, Debug)]
pub struct EncodedImage {
    /// `image/png`, `image/jpeg` or `image/webp`.
    pub mime: &'static str,
    /// Pixels.
    pub size: ScreenSize,
    /// The file's bytes.
    pub file: PictureFile,
}

/// How a picture appears in a result.
#[derive(Clone, Debug)]
pub enum ImagePart {
    /// In the result itself, as this text.
    Inline(EncodedImage, Base64),
    /// In the binary message of this number.
    Attached(EncodedImage, u64),
    /// Not at all: the client has it.
    Unchanged,
}

/// `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StatusResult {
    /// This session.
    pub session: String,
    /// Who controls.
    pub lease: LeaseStatus,
    /// Whether a controller has paused.
    pub paused: bool,
    /// Whether an admin has halted.
    pub halted: bool,
    /// What is held down.
    pub held: Held,
    /// Requests of this connection that are not answered, this one not counted.
    pub in_flight: usize,
    /// The user's task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// What became of the request that was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestStatus>,
}

/// What became of a request with a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RequestStatus {
    /// It has ended; one of the two says how.
    Done {
        /// Its result, without pictures.
        #[serde(skip_serializing_if = "Option::is_none")]
        result: Option<serde_json::Value>,
        /// Its error object.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<serde_json::Value>,
    },
    /// It was admitted and has not ended.
    Running,
    /// It has never begun.
    NotStarted,
    /// It ended so long ago that it was forgotten, or has never begun: nobody can tell.
    Unknown,
}

/// Who controls the desktop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LeaseStatus {
    /// As this session sees it.
    pub holder: LeaseHolder,
    /// Grows with every change of hands.
    pub epoch: u64,
}

/// Who holds the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeaseHolder {
    /// The asking session.
    #[serde(rename = "self")]
    Own,
    /// Another one.
    Other,
    /// Nobody.
    None,
}

/// `initialize`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct InitializeResult {
    /// `deskhand.v1`.
    pub protocol: &'static str,
    /// This start of the server.
    pub boot: String,
    /// The server program.
    pub server: ServerInformation,
    /// This session.
    pub session: String,
    /// What it may do.
    pub role: Role,
    /// The display.
    pub display: DisplayInformation,
    /// The size of the pictures.
    pub screen: ScreenSize,
    /// What coordinates mean.
    pub coordinate_space: CoordinateSpace,
    /// How pictures travel.
    pub images: ImageTransfer,
    /// The limits of the contract, by name.
    pub limits: serde_json::Map<String, serde_json::Value>,
    /// The methods that this server has.
    pub methods: Vec<&'static str>,
    /// The `_meta` keys that this server acts on.
    pub meta: &'static [&'static str],
    /// What may be done, where a policy restricts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyInformation>,
}

/// The server program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ServerInformation {
    /// `deskhand`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

/// The display of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DisplayInformation {
    /// `:99`.
    pub name: String,
    /// The number before the dash in `frame`.
    pub epoch: u32,
    /// Native pixels.
    pub width: u16,
    /// Native pixels.
    pub height: u16,
}

/// `display.info`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DisplayInfoResult {
    /// Name, epoch and size.
    #[serde(flatten)]
    pub display: DisplayInformation,
    /// Bits a pixel that carry colour.
    pub depth: u8,
    /// Whether this server started the X server.
    pub owned: bool,
    /// The name that the window manager gives itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_manager: Option<String>,
    /// The X extensions that matter here and are there.
    pub extensions: Vec<String>,
    /// The sources that tell when the screen has settled.
    pub evidence: Vec<&'static str>,
    /// How the server process is confined.
    pub sandbox: &'static str,
}
