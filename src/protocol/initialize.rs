//! `initialize`: what a client may ask of its session.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    error::{ErrorKind, Failure},
    identity::Role,
    json,
    observe::{ObserveParams, Observing},
    screen::{CoordinateSpace, ScreenFit},
    wire::{self, Object},
};

/// The one protocol that this server speaks.
pub const PROTOCOL: &str = "deskhand.v1";

/// Who the client says it is, for logs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientInformation {
    /// The program's name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// How pictures travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImageTransfer {
    /// Inside the answer.
    #[default]
    Base64,
    /// As a binary message before the answer.
    Attachment,
}

/// The parameters of `initialize`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(clippy::option_option, reason = "`observe: null` is allowed and means off")]
pub struct InitializeParams {
    /// Must be `deskhand.v1`.
    pub protocol: String,
    /// Who connects.
    pub client: Object<ClientInformation>,
    /// How pictures travel; `base64` when absent.
    pub images: Option<ImageTransfer>,
    /// The size of the pictures; the server's default when absent.
    pub screen: Option<ScreenFit>,
    /// What coordinates mean; `screen` when absent.
    pub coordinate_space: Option<CoordinateSpace>,
    /// Can only lower what the token allows.
    pub role: Option<Role>,
    /// The default wait for screenshots; null is off.
    #[serde(default, deserialize_with = "wire::present")]
    pub observe: Option<Option<Object<ObserveParams>>>,
    /// A session of the same user to take over.
    pub resume: Option<String>,
}

/// What `initialize` sets, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Initialize {
    /// `name version` of the client, clipped and escaped for logs.
    pub client: String,
    /// How pictures travel.
    pub images: ImageTransfer,
    /// The size of the pictures.
    pub screen: Option<ScreenFit>,
    /// What coordinates mean.
    pub coordinate_space: CoordinateSpace,
    /// The role to lower to.
    pub role: Option<Role>,
    /// How the session's pictures wait for its actions.
    pub observe: Observing,
    /// The session to take over.
    pub resume: Option<String>,
}

impl InitializeParams {
    /// # Errors
    /// `unsupported` for another protocol and for what a later version adds, `out_of_range` for a wrong number.
    pub(super) fn check(self) -> Result<Initialize, Failure> {
        let unsupported = |message: String| Err(Failure::new(ErrorKind::Unsupported, message));
        if self.protocol != PROTOCOL {
            let asked = json::clipped(&self.protocol);
            return unsupported(format!("protocol = `{asked}` is not spoken here; ask for `{PROTOCOL}`"));
        }
        let Object(client) = self.client;
        Ok(Initialize {
            client: json::clipped(&format!("{} {}", client.name, client.version)),
            images: self.images.unwrap_or_default(),
            screen: self.screen,
            coordinate_space: self.coordinate_space.unwrap_or_default(),
            role: self.role,
            observe: Observing::check(self.observe)?,
            resume: self.resume,
        })
    }
}
