//! What the user typed → validated settings. Nothing else reads the environment.
//!
//! A flag goes before its environment variable, that before the configuration file, that before the default.

pub mod arguments;
pub mod audit;
pub mod display;
pub mod environment;
pub mod named_files;
pub mod policy;
pub mod strictness;
pub mod tls;
pub mod token;
pub mod tokens;
pub mod values;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    exit::{Exit, Fatal},
    protocol::{
        address::{DEFAULT_LISTEN, ListenAddress},
        display::DisplayNumber,
        identity::Principal,
        screen::ScreenFit,
        task::TaskRule,
        token::TokenHash,
        token_table::{Grant, TokenTable},
        units::PixelsPerNotch,
    },
};
use arguments::ServeArguments;
use audit::AuditSettings;
use display::DisplayChoice;
use strictness::Strictness;
use tls::{DialTrust, TlsFiles};
use token::{Token, TokenError};
use values::{Host, LogLevel, Origin, ProbeAddress, SandboxChoice};

/// The highest number of a standard stream.
const STANDARD_STREAMS: i32 = 2;
/// Where `deskhand token new` writes without a FILE: in the current directory, where its user sees it.
pub const DEFAULT_TOKEN_FILE: &str = "deskhand.token";

/// The settings of `deskhand serve`: checked, complete, and the same in both processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The display to work on.
    pub display: DisplayChoice,
    /// How pictures are fitted unless a session says otherwise.
    pub screen: ScreenFit,
    /// How far applications scroll by one notch of the wheel.
    pub pixels_per_notch: PixelsPerNotch,
    /// Where to listen: at least one address, none twice.
    pub listen: Vec<ListenAddress>,
    /// Where probes are answered without a token; none of the addresses above.
    pub probe: Option<ProbeAddress>,
    /// Which token opens the door.
    pub token: TokenChoice,
    /// The certificate for TCP addresses, where they speak TLS.
    pub tls: Option<TlsFiles>,
    /// Whom we take for the controllers that we call, where there are such.
    pub dial: Option<DialTrust>,
    /// HTTP hosts to accept besides localhost and the listen addresses.
    pub allow_host: Vec<Host>,
    /// Origins of web pages to accept.
    pub allow_origin: Vec<Origin>,
    /// Whose processes may connect to Unix sockets; anybody's who can open them when empty.
    pub allow_uid: Vec<u32>,
    /// What becomes of risks in the surroundings.
    pub strictness: Strictness,
    /// How much to log.
    pub log: LogLevel,
    /// The program to run on the display and its arguments; empty for none.
    pub command: Vec<String>,
    /// Whether input needs a task.
    pub tasks: TaskRule,
    /// Where what must survive a restart is kept.
    pub state: Option<PathBuf>,
    /// How what is done is recorded; not at all without it.
    pub audit: Option<AuditSettings>,
    /// Whether the server confines itself.
    pub sandbox: SandboxChoice,
    /// What may be done; everything where there is none.
    pub policy: Option<PathBuf>,
    /// Where the secrets of the start are read from: a descriptor that was open when we were started.
    pub secrets_fd: Option<i32>,
    /// The log of the egress proxy, which is followed.
    pub egress_log: Option<PathBuf>,
    /// The executables of programs that may be connected to the display while a secret is typed.
    pub secret_client: Vec<String>,
    /// `XDG_RUNTIME_DIR`, not yet checked to be ours.
    pub runtime_parent: Option<PathBuf>,
}

/// Which token opens the door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenChoice {
    /// The one in this file.
    File(PathBuf),
    /// The one with this hash.
    Sha256(TokenHash),
    /// Those of this tokens file.
    Tokens(PathBuf),
    /// A new one, in a file of the private runtime directory.
    Generate,
    /// None: only the host can reach us.
    NotNeeded,
}

/// What opens the door, as far as the server must know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AcceptedTokens {
    /// One token, whose holder may do everything.
    One {
        /// What a token shown must hash to.
        sha256: TokenHash,
        /// The file that holds it, for the ready line.
        file: Option<PathBuf>,
    },
    /// Those of a tokens file.
    Table {
        /// Its text, which has been read without a mistake.
        text: String,
    },
}

impl AcceptedTokens {
    /// The file that holds a token in clear.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::One { file, .. } => file.as_deref(),
            Self::Table { .. } => None,
        }
    }

    /// Who holds which.
    ///
    /// # Errors
    /// What is wrong with the text of a tokens file.
    pub fn table(&self) -> Result<TokenTable, String> {
        match self {
            Self::One { sha256, .. } => {
                Ok(TokenTable::new(vec![Grant { sha256: *sha256, principal: Principal::single_token() }]))
            }
            Self::Table { text } => tokens::parse(text),
        }
    }
}

impl TokenChoice {
    /// Reads or makes the token. `runtime` is the private directory that takes a new one.
    pub fn accept(&self, runtime: &Path) -> Result<Option<AcceptedTokens>, Fatal> {
        Ok(match self {
            Self::File(path) => {
                Some(AcceptedTokens::One { sha256: Token::read(path)?.hash(), file: Some(path.clone()) })
            }
            Self::Sha256(sha256) => Some(AcceptedTokens::One { sha256: *sha256, file: None }),
            Self::Tokens(path) => Some(AcceptedTokens::Table { text: read_table(path)? }),
            Self::Generate => {
                let (token, path) = (Token::generate()?, runtime.join("token"));
                token.write_new(&path)?;
                Some(AcceptedTokens::One { sha256: token.hash(), file: Some(path) })
            }
            Self::NotNeeded => None,
        })
    }
}

/// Reads a tokens file and checks that it says what it should.
///
/// # Errors
/// Why it cannot be used.
pub fn read_table(path: &Path) -> Result<String, TokenError> {
    let text = tokens::read(path)?;
    tokens::parse(&text).map_err(|problem| TokenError::Table { path: path.to_owned(), problem })?;
    Ok(text)
}

impl From<TokenError> for Fatal {
    fn from(error: TokenError) -> Self {
        let exit = match error {
            TokenError::Random => Exit::Internal,
            TokenError::Readable { .. } => Exit::NotAllowed,
            TokenError::Write { .. } | TokenError::Exists { .. } => Exit::Failed,
            TokenError::Read { .. } | TokenError::Format { .. } | TokenError::Table { .. } => Exit::Usage,
        };
        Self::new(exit, error.to_string())
    }
}

/// The environment variables of others that count where no flag speaks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// `DISPLAY`, for attaching.
    pub display: Option<String>,
    /// `XAUTHORITY`, for attaching.
    pub xauthority: Option<String>,
    /// `HOME`, where Xlib looks for `.Xauthority` next.
    pub home: Option<String>,
    /// `XDG_RUNTIME_DIR`, which may hold the private directory.
    pub runtime_directory: Option<String>,
}

impl Surroundings {
    /// Reads the environment of this process.
    pub fn capture() -> Self {
        let read = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            display: read("DISPLAY"),
            xauthority: read("XAUTHORITY"),
            home: read("HOME"),
            runtime_directory: read("XDG_RUNTIME_DIR"),
        }
    }
}

impl Settings {
    /// Checks what was typed, with the configuration file if one is named.
    pub fn load(arguments: ServeArguments, surroundings: &Surroundings) -> Result<Self, Fatal> {
        one_token(&arguments)?;
        let typed = match &arguments.config {
            Some(path) => {
                let file = read_file(Path::new(path))?;
                one_token(&file)?;
                arguments.or(file)
            }
            None => arguments,
        };
        let listen = if typed.listen.is_empty() {
            vec![DEFAULT_LISTEN.parse().map_err(Fatal::internal)?]
        } else {
            typed.listen.clone()
        };
        let tls = TlsFiles::choose(&typed)?;
        check_listen(&listen, tls.as_ref(), typed.allow_plaintext.unwrap_or(false))?;
        let dial = DialTrust::choose(&typed, &listen)?;
        let speaks_tls = |address: &ListenAddress| matches!(address, ListenAddress::Tcp(_) | ListenAddress::Dial(_));
        if tls.is_some() && !listen.iter().any(speaks_tls) {
            return Err(Fatal::usage(
                "tls-cert is given and there is no address that could speak TLS; listen on IP:PORT, or leave it out",
            ));
        }
        // Whoever names users believes that nobody else gets in.
        if !typed.allow_uid.is_empty() && !listen.iter().any(|address| matches!(address, ListenAddress::Unix(_))) {
            return Err(Fatal::usage(
                "allow-uid is given and there is no Unix socket that it could be about; listen on unix:PATH, or leave it out",
            ));
        }
        if let Some(ProbeAddress(address)) = typed.probe_listen
            && address.port() != 0
            && listen.contains(&ListenAddress::Tcp(address))
        {
            let message =
                format!("{address} is given to --listen and to --probe-listen; give each an address of its own");
            return Err(Fatal::usage(message));
        }
        if let Some(descriptor) = typed.secrets_fd.filter(|descriptor| *descriptor <= STANDARD_STREAMS) {
            return Err(Fatal::usage(format!(
                "secrets-fd = {descriptor} is a standard stream; open another descriptor, as in `--secrets-fd 3 3<secrets.jsonl`"
            )));
        }
        if let Some(path) = typed.secret_client.iter().find(|path| !path.starts_with('/')) {
            return Err(Fatal::usage(format!(
                "secret-client = {path} is no whole path; give the one that /proc/PID/exe shows"
            )));
        }
        let token = match (&typed.token_file, typed.token_sha256, &typed.tokens) {
            (Some(path), _, _) => TokenChoice::File(absolute(path)?),
            (None, Some(hash), _) => TokenChoice::Sha256(hash),
            (None, None, Some(path)) => TokenChoice::Tokens(absolute(path)?),
            (None, None, None) if listen.iter().any(ListenAddress::needs_token) => TokenChoice::Generate,
            (None, None, None) => TokenChoice::NotNeeded,
        };
        Ok(Self {
            audit: audit::choose(&typed, &listen)?,
            display: choose_display(&typed, surroundings)?,
            screen: typed.screen.unwrap_or_default().0,
            pixels_per_notch: typed.pixels_per_notch.unwrap_or_default(),
            listen,
            probe: typed.probe_listen,
            token,
            tls,
            dial,
            allow_host: typed.allow_host,
            allow_origin: typed.allow_origin,
            allow_uid: typed.allow_uid,
            strictness: if typed.strict == Some(true) { Strictness::Refuses } else { Strictness::Warns },
            log: typed.log.unwrap_or_default(),
            command: typed.command,
            tasks: if typed.require_task == Some(true) { TaskRule::Required } else { TaskRule::Optional },
            state: typed.state.as_deref().map(absolute).transpose()?,
            sandbox: typed.sandbox.unwrap_or_default(),
            policy: typed.policy.as_deref().map(absolute).transpose()?,
            secrets_fd: typed.secrets_fd,
            egress_log: typed.egress_log.as_deref().map(absolute).transpose()?,
            secret_client: typed.secret_client,
            runtime_parent: surroundings.runtime_directory.as_ref().map(PathBuf::from),
        })
    }
}

fn read_file(path: &Path) -> Result<ServeArguments, Fatal> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Fatal::usage(format!("cannot read the configuration file {}: {error}", path.display())))?;
    toml::from_str(&text)
        .map_err(|error| Fatal::usage(format!("the configuration file {} is wrong: {error}", path.display())))
}

fn one_token(typed: &ServeArguments) -> Result<(), Fatal> {
    let given = [typed.token_file.is_some(), typed.token_sha256.is_some(), typed.tokens.is_some()];
    if given.into_iter().filter(|given| *given).count() > 1 {
        return Err(Fatal::usage(
            "token-file, token-sha256 and tokens (also as DESKHAND_… in the environment) exclude each other; give one of them",
        ));
    }
    Ok(())
}

fn check_listen(listen: &[ListenAddress], tls: Option<&TlsFiles>, allow_plaintext: bool) -> Result<(), Fatal> {
    for (index, address) in listen.iter().enumerate() {
        let free_port = matches!(address, ListenAddress::Tcp(tcp) if tcp.port() == 0);
        if !free_port && listen[..index].contains(address) {
            return Err(Fatal::usage(format!("the address {address} is given twice; give it once")));
        }
        if address.leaves_the_machine() && tls.is_none() && !allow_plaintext {
            return Err(Fatal::new(
                Exit::NotAllowed,
                format!(
                    "{address} is not a loopback address, and without TLS tokens and pictures would cross the network \
                     readable; give --tls-cert and --tls-key, listen on 127.0.0.1 or unix:PATH, or accept it with --allow-plaintext"
                ),
            ));
        }
    }
    Ok(())
}

fn choose_display(typed: &ServeArguments, surroundings: &Surroundings) -> Result<DisplayChoice, Fatal> {
    let named = typed.xauthority.as_deref().map(absolute).transpose()?;
    if let Some(size) = typed.xvfb {
        return Ok(DisplayChoice::Owned { size: size.0, number: typed.display, xauthority: named });
    }
    attached_display(typed, surroundings).map(|(display, xauthority)| DisplayChoice::Attached { display, xauthority })
}

/// The display to attach to and the file with its cookie, from what was typed and the environment.
pub fn attached_display(
    typed: &ServeArguments,
    surroundings: &Surroundings,
) -> Result<(DisplayNumber, Option<PathBuf>), Fatal> {
    let named = typed.xauthority.as_deref().map(absolute).transpose()?;
    let display: DisplayNumber = match (typed.display, &surroundings.display) {
        (Some(display), _) => display,
        (None, Some(text)) => text.parse().map_err(|reason| Fatal::usage(format!("DISPLAY: {reason}")))?,
        (None, None) => {
            return Err(Fatal::new(
                Exit::NoDisplay,
                "no display is named; start one with --xvfb 1024x768, or name one with --display :N or DISPLAY",
            ));
        }
    };
    let xauthority = match (named, &surroundings.xauthority, &surroundings.home) {
        (Some(path), _, _) => Some(path),
        (None, Some(path), _) => Some(absolute(path)?),
        (None, None, Some(home)) => Some(Path::new(home).join(".Xauthority")).filter(|path| path.exists()),
        (None, None, None) => None,
    };
    Ok((display, xauthority))
}

/// Paths are told to other processes, so they must not depend on a working directory.
fn absolute(path: &str) -> Result<PathBuf, Fatal> {
    std::path::absolute(path).map_err(|error| Fatal::usage(format!("`{path}` is no usable path: {error}")))
}

#[cfg(test)]
mod tests;
