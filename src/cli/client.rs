//! What the verbs that talk to a running server have in common: where it is, and why it gave no answer.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::Args;

use crate::{
    exit::{Exit, Fatal},
    transport::{
        client::ClientError,
        endpoint::{DEFAULT_URL, Endpoint},
        tls::{ClientChoice, Identity, Trusted},
    },
};

/// Where a verb finds the server.
#[derive(Args, Clone, Debug)]
pub struct ServerArguments {
    /// Address of the server
    #[arg(long, value_name = "URL", env = "DESKHAND_URL", default_value = DEFAULT_URL)]
    pub url: String,
    /// Unix socket of the server, instead of a URL
    #[arg(long, value_name = "PATH", env = "DESKHAND_SOCKET", conflicts_with = "virtio")]
    pub socket: Option<PathBuf>,
    /// Unix socket that a virtual machine monitor has for the guest's virtio-serial port, instead of a URL
    #[arg(long, value_name = "PATH", env = "DESKHAND_VIRTIO")]
    pub virtio: Option<PathBuf>,
    /// Trust a server of a wss:// URL whose certificate comes from an authority in this PEM file [default: those of the system]
    #[arg(long, value_name = "FILE", env = "DESKHAND_TLS_CA")]
    pub tls_ca: Option<PathBuf>,
    /// Certificate (PEM) to show to a server that asks for one
    #[arg(long, value_name = "FILE", env = "DESKHAND_TLS_CERT", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key
    #[arg(long, value_name = "FILE", env = "DESKHAND_TLS_KEY", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
}

impl ServerArguments {
    /// The socket or port where one is named, else the URL.
    pub fn endpoint(&self) -> Result<Endpoint, CallError> {
        match (&self.socket, &self.virtio) {
            (Some(path), _) => Ok(Endpoint::Unix(path.clone())),
            (None, Some(path)) => Ok(Endpoint::Virtio(path.clone())),
            (None, None) => {
                let read = |path: &Option<PathBuf>| path.as_deref().map(read_pem).transpose();
                let (authority, certificate, key) = (read(&self.tls_ca)?, read(&self.tls_cert)?, read(&self.tls_key)?);
                let identity = certificate.as_deref().zip(key.as_deref());
                let identity = identity.map(|(certificate, key)| Identity { certificate, key });
                let trusted = authority.as_deref().map_or(Trusted::System, Trusted::Authority);
                Ok(Endpoint::parse_with(&self.url, ClientChoice { trusted, identity })?)
            }
        }
    }
}

fn read_pem(path: &Path) -> Result<String, CallError> {
    fs::read_to_string(path).map_err(|error| CallError::Usage(format!("cannot read {}: {error}", path.display())))
}

/// Why a verb that talks to a server failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The server answered with an error. The text is `kind: message`, with the hint on a line of its own.
    #[error("{0}")]
    Answered(String),
    /// No token, or one that may not.
    #[error("{0}")]
    NotAllowed(String),
    /// The command line does not make sense.
    #[error("{0}")]
    Usage(String),
    /// The server runs and its display does not answer.
    #[error("not ready: {0}")]
    NotReady(String),
    /// No answer.
    #[error("{0}")]
    NoAnswer(String),
    /// Reading or writing failed here.
    #[error("{0}")]
    System(#[from] io::Error),
}

impl From<CallError> for Fatal {
    fn from(error: CallError) -> Self {
        let exit = match error {
            CallError::Answered(_) | CallError::NotReady(_) | CallError::NoAnswer(_) | CallError::System(_) => {
                Exit::Failed
            }
            CallError::Usage(_) => Exit::Usage,
            CallError::NotAllowed(_) => Exit::NotAllowed,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<ClientError> for CallError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Url(message) => Self::Usage(message),
            ClientError::Unauthorized => {
                let hint = "name the server's token file by --token-file or DESKHAND_TOKEN_FILE; its ready line says where it is";
                Self::NotAllowed(format!("{error}\nhint: {hint}"))
            }
            ClientError::Tls(_) => {
                let hint = "--tls-ca names the file with the server's authority; --tls-cert and --tls-key are for servers that ask \
                            for a certificate";
                Self::NoAnswer(format!("{error}\nhint: {hint}"))
            }
            ClientError::Forbidden(_) => Self::NotAllowed(error.to_string()),
            ClientError::Unreachable { .. } => Self::NoAnswer(format!(
                "{error}\nhint: start a server by `deskhand serve --xvfb 1024x768`, or name it by --url, --socket or --virtio"
            )),
            ClientError::NoGuest { .. } => Self::NoAnswer(format!(
                "{error}\nhint: see whether the guest runs `deskhand serve --listen virtio:…`, and whether another host is connected: \
                 the port has room for one"
            )),
            ClientError::Refused { .. } | ClientError::Protocol(_) | ClientError::TimedOut => {
                Self::NoAnswer(error.to_string())
            }
        }
    }
}

/// Runs a future on a runtime of its own.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(future))
}
