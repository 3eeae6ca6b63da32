//! What TLS needs: the files that are named, and what they say.

use std::{
    fmt, fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::arguments::ServeArguments;
use crate::{
    exit::{Exit, Fatal},
    protocol::address::ListenAddress,
};

/// The longest file: a chain of certificates has some kilobytes, and all of them travel to the server in one message.
const FILE_BYTES: u64 = 48 * 1024;
/// The same for the authorities that a controller's certificate may come from: a system's own file has a quarter of a megabyte.
const BUNDLE_BYTES: u64 = 640 * 1024;
/// How many controllers can be called.
const MOST_CALLS: usize = 8;
/// What others than the owner and its group may not do with a key: anything. A group is allowed, because Kubernetes gives the files of
/// a secret to the group of the pod.
const STRANGERS: u32 = 0o007;

/// The files for TLS on TCP listeners.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsFiles {
    /// Our certificate and those that lead to its authority, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// The authorities of clients' certificates, PEM; clients need none where this is absent.
    pub client_authority: Option<PathBuf>,
}

/// What the files say.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsMaterial {
    /// The certificates, PEM.
    pub certificate: String,
    /// The key, PEM.
    pub key: String,
    /// The authorities, PEM.
    pub client_authority: Option<String>,
}

impl fmt::Debug for TlsMaterial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TlsMaterial { .. }")
    }
}

impl Drop for TlsMaterial {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

/// Whom we take for the controllers that we call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DialTrust {
    /// Whoever has a certificate for the name that we call from an authority in this PEM file.
    Authority(PathBuf),
    /// Whoever has this key.
    Key(KeyPin),
}

/// The same as the server needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DialMaterial {
    /// Authorities, PEM.
    Authority(String),
    /// A key.
    Key(KeyPin),
}

/// The SHA-256 of a public key: `openssl x509 -pubkey -noout -in FILE | openssl pkey -pubin -outform der | sha256sum`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct KeyPin(pub [u8; 32]);

impl FromStr for KeyPin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
        bytes
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| format!("the SHA-256 of a public key is 64 hexadecimal characters; got `{text}`"))
    }
}

impl TryFrom<String> for KeyPin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<KeyPin> for String {
    fn from(KeyPin(bytes): KeyPin) -> Self {
        data_encoding::HEXLOWER.encode(&bytes)
    }
}

impl DialTrust {
    /// What was typed, where there is a controller to call.
    pub(super) fn choose(typed: &ServeArguments, listen: &[ListenAddress]) -> Result<Option<Self>, Fatal> {
        let calls = listen.iter().filter(|address| matches!(address, ListenAddress::Dial(_))).count();
        if calls > MOST_CALLS {
            return Err(Fatal::usage(format!("{calls} dial addresses are given; {MOST_CALLS} are the most")));
        }
        match (&typed.dial_ca, typed.dial_pin, calls) {
            (None, None, 0) => Ok(None),
            (Some(_), Some(_), _) => Err(Fatal::usage("dial-ca and dial-pin exclude each other; give one of them")),
            (_, _, 0) => Err(Fatal::usage(
                "dial-ca or dial-pin is given and there is no controller to call; listen on dial:wss://HOST, or leave it out",
            )),
            (None, None, _) => Err(Fatal::usage(
                "a dial address is given and nothing says whom to take for the controller; give --dial-ca FILE (for one with a public \
                 certificate /etc/ssl/certs/ca-certificates.crt) or --dial-pin HEX",
            )),
            (Some(path), None, _) => super::absolute(path).map(|path| Some(Self::Authority(path))),
            (None, Some(pin), _) => Ok(Some(Self::Key(pin))),
        }
    }

    /// Reads the file, if it is one.
    ///
    /// # Errors
    /// It is no good.
    pub fn read(&self) -> Result<DialMaterial, TlsFileError> {
        match self {
            Self::Authority(path) => read_up_to(path, BUNDLE_BYTES).map(DialMaterial::Authority),
            Self::Key(pin) => Ok(DialMaterial::Key(*pin)),
        }
    }
}

/// Why a file for TLS is no good.
#[derive(Debug, thiserror::Error)]
pub enum TlsFileError {
    /// It cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// It is too long, or no text.
    #[error("{} is no PEM file of at most {most} bytes", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The longest that there may be.
        most: u64,
    },
    /// Anybody may use the key.
    #[error("the key {} has mode {mode:04o} and everybody can use it; run chmod 600 on it", path.display())]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl From<TlsFileError> for Fatal {
    fn from(error: TlsFileError) -> Self {
        let exit = if matches!(error, TlsFileError::Readable { .. }) { Exit::NotAllowed } else { Exit::Usage };
        Self::new(exit, error.to_string())
    }
}

impl TlsFiles {
    /// What was typed; nothing when nothing of it was.
    pub(super) fn choose(typed: &ServeArguments) -> Result<Option<Self>, Fatal> {
        let path = |text: &Option<String>| text.as_deref().map(super::absolute).transpose();
        match (path(&typed.tls_cert)?, path(&typed.tls_key)?, path(&typed.tls_client_ca)?) {
            (Some(certificate), Some(key), client_authority) => Ok(Some(Self { certificate, key, client_authority })),
            (None, None, None) => Ok(None),
            (None, None, Some(_)) => Err(Fatal::usage(
                "tls-client-ca is given without a certificate of our own; give --tls-cert and --tls-key as well",
            )),
            (Some(_), None, _) => Err(Fatal::usage("tls-cert is given without its key; give --tls-key as well")),
            (None, Some(_), _) => {
                Err(Fatal::usage("tls-key is given without its certificate; give --tls-cert as well"))
            }
        }
    }

    /// Reads them.
    ///
    /// # Errors
    /// The first that is no good.
    pub fn read(&self) -> Result<TlsMaterial, TlsFileError> {
        let mode =
            fs::metadata(&self.key).map_err(|error| TlsFileError::Read { path: self.key.clone(), error })?.mode();
        if mode & STRANGERS != 0 {
            return Err(TlsFileError::Readable { path: self.key.clone(), mode: mode & 0o7777 });
        }
        Ok(TlsMaterial {
            certificate: read(&self.certificate)?,
            key: read(&self.key)?,
            client_authority: self.client_authority.as_deref().map(read).transpose()?,
        })
    }

    /// All of them.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        [&self.certificate, &self.key].into_iter().chain(&self.client_authority).map(PathBuf::as_path)
    }
}

fn read(path: &Path) -> Result<String, TlsFileError> {
    read_up_to(path, FILE_BYTES)
}

fn read_up_to(path: &Path, most: u64) -> Result<String, TlsFileError> {
    let failed = |error| TlsFileError::Read { path: path.to_owned(), error };
    let length = fs::metadata(path).map_err(failed)?.len();
    let text = if length <= most { fs::read_to_string(path) } else { Err(io::ErrorKind::InvalidData.into()) };
    text.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => TlsFileError::Format { path: path.to_owned(), most },
        _ => failed(error),
    })
}
