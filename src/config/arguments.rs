//! What the user may type: one structure for the command line, the environment and the file, so that their keys agree.

use serde::Deserialize;

use crate::{
    config::{
        display::XvfbSize,
        tls::KeyPin,
        values::{Host, LogLevel, Origin, ProbeAddress, SandboxChoice, ScreenChoice},
    },
    protocol::{
        address::ListenAddress,
        audit::{AuditDetails, AuditMode},
        display::DisplayNumber,
        limits::{SCREEN_MAX, SCREEN_MIN},
        token::TokenHash,
        units::PixelsPerNotch,
    },
};

/// The options of `deskhand serve`. An environment variable stands in for a flag that is absent, the file for both.
#[derive(Clone, Debug, Default, PartialEq, clap::Args, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServeArguments {
    /// Start and own an Xvfb of this size in pixels, depth 24; without it, attach to the display of --display or DISPLAY.
    #[arg(long, env = "DESKHAND_XVFB", value_name = "WxH", long_help = xvfb_help())]
    pub xvfb: Option<XvfbSize>,

    /// The display to attach to or, with --xvfb, the number of the new one (default: a free number from :99 on).
    #[arg(long, env = "DESKHAND_DISPLAY", value_name = ":N")]
    pub display: Option<DisplayNumber>,

    /// The file with the display's cookie; with --xvfb, where the new cookie is written (default: a private directory).
    #[arg(long, env = "DESKHAND_XAUTHORITY", value_name = "FILE")]
    pub xauthority: Option<String>,

    /// How pictures are fitted: native, long-edge:N, pixels:N (neither ever enlarges) or `WxH` (exact) [default: native].
    #[arg(long, env = "DESKHAND_SCREEN", value_name = "FIT")]
    pub screen: Option<ScreenChoice>,

    /// How many pixels applications scroll by one notch of the wheel, for `scroll_pixels` [default: 53].
    #[arg(long, env = "DESKHAND_PIXELS_PER_NOTCH", value_name = "PIXELS")]
    #[serde(alias = "pixels_per_notch")]
    pub pixels_per_notch: Option<PixelsPerNotch>,

    /// Where to listen: IP:PORT (port 0 takes a free one), unix:PATH, stdio, vsock:PORT, virtio:PATH (a virtio-serial port), or
    /// `dial:wss://HOST[:PORT][/PATH]`, where a controller is called instead; may be repeated [default: 127.0.0.1:7010]. In the
    /// environment variable, commas separate several.
    #[arg(long, env = "DESKHAND_LISTEN", value_name = "ADDR", value_delimiter = ',')]
    pub listen: Vec<ListenAddress>,

    /// Serve `/healthz`, `/readyz` and `/metrics`, and nothing else, also here: to anybody, without a token. IP:PORT.
    #[arg(long, env = "DESKHAND_PROBE_LISTEN", value_name = "ADDR", long_help = PROBE_HELP)]
    pub probe_listen: Option<ProbeAddress>,

    /// Accept the token in this file, which only its owner may read; `deskhand token new` makes one.
    #[arg(long, env = "DESKHAND_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<String>,

    /// Accept the token with this SHA-256: then nothing worth stealing is kept beside the applications.
    #[arg(long, env = "DESKHAND_TOKEN_SHA256", value_name = "HEX")]
    pub token_sha256: Option<TokenHash>,

    /// Accept the tokens of this TOML file: a table `token` for each, with user, role, sha256, and optionally expires and
    /// limits. Only its owner may read it; SIGHUP reads it again.
    #[arg(long, env = "DESKHAND_TOKENS", value_name = "FILE")]
    pub tokens: Option<String>,

    /// Refuse input of users who have not begun a task (task.begin).
    #[arg(
        long,
        env = "DESKHAND_REQUIRE_TASK",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = clap::builder::BoolishValueParser::new()
    )]
    pub require_task: Option<bool>,

    /// Keep in this directory what must survive a restart: the tokens of the month.
    #[arg(long, env = "DESKHAND_STATE", value_name = "DIR")]
    pub state: Option<String>,

    /// Confine the server process before it reads its first byte from outside (seccomp, and Landlock where the kernel has it):
    /// `require` refuses to start without, `try` logs what is missing [default: try]. COMMAND and the X server are not confined.
    #[arg(long, env = "DESKHAND_SANDBOX", value_name = "MODE")]
    pub sandbox: Option<SandboxChoice>,
    /// Allow only what this TOML file lists: `methods`, and optionally `deny_chords`, `regions`, `clipboard`, `resize`, `navigate` and
    /// tables `window` and `confirm`. Only its owner may write it; it holds as long as the server runs.
    #[arg(long, env = "DESKHAND_POLICY", value_name = "FILE")]
    pub policy: Option<String>,

    /// Keep the secrets that are read from this descriptor, a pipe or a file that was opened for us: on each line the JSON parameters
    /// of one `secret.put`. It is read once, to its end, and closed; COMMAND does not have it.
    #[arg(long, env = "DESKHAND_SECRETS_FD", value_name = "N")]
    pub secrets_fd: Option<i32>,

    /// Type secrets also while a program of this executable is connected to the display, such as the window manager; may be repeated.
    /// It is the path that /proc/PID/exe shows. Each of these programs can read the keys.
    #[arg(long, env = "DESKHAND_SECRET_CLIENT", value_name = "EXECUTABLE", value_delimiter = ',')]
    pub secret_client: Vec<String>,

    /// Speak TLS on TCP addresses, with the certificate in this PEM file and those that lead from it to its authority. It is read again
    /// when it changes.
    #[arg(long, env = "DESKHAND_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<String>,

    /// The private key of that certificate, a PEM file that only its owner and group may read.
    #[arg(long, env = "DESKHAND_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<String>,

    /// Take TLS connections only from clients that show a certificate of one of the authorities in this PEM file. The token is still
    /// needed.
    #[arg(long, env = "DESKHAND_TLS_CLIENT_CA", value_name = "FILE")]
    pub tls_client_ca: Option<String>,

    /// Take whoever has a certificate from an authority in this PEM file, for the name that is called, for the controller of a `dial:`
    /// address. With --tls-cert and --tls-key that certificate is shown to it.
    #[arg(long, env = "DESKHAND_DIAL_CA", value_name = "FILE")]
    pub dial_ca: Option<String>,

    /// Take whoever has the key with this SHA-256 for the controller of a `dial:` address, whatever its certificate says.
    #[arg(long, env = "DESKHAND_DIAL_PIN", value_name = "HEX")]
    pub dial_pin: Option<KeyPin>,

    /// Follow this access log of an egress proxy (deploy/egress): what applications ask of the network is counted in the metrics and told
    /// by the event `egress`.
    #[arg(long, env = "DESKHAND_EGRESS_LOG", value_name = "FILE")]
    pub egress_log: Option<String>,

    /// Accept this HTTP Host besides localhost and the listen addresses; may be repeated.
    #[arg(long, env = "DESKHAND_ALLOW_HOST", value_name = "H", value_delimiter = ',')]
    pub allow_host: Vec<Host>,

    /// Accept web pages of this Origin, such as `https://desk.example`; may be repeated.
    #[arg(long, env = "DESKHAND_ALLOW_ORIGIN", value_name = "O", value_delimiter = ',')]
    pub allow_origin: Vec<Origin>,

    /// Take connections on Unix sockets only from processes of this user id, which the kernel tells; may be repeated. The socket's
    /// file is then open to all, and the token is still needed [default: only we and root can open the file].
    #[arg(long, env = "DESKHAND_ALLOW_UID", value_name = "UID", value_delimiter = ',')]
    pub allow_uid: Vec<u32>,

    /// Allow a TCP address that is not loopback without TLS: tokens and pictures then cross the network readable.
    #[arg(
        long,
        env = "DESKHAND_ALLOW_PLAINTEXT",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = clap::builder::BoolishValueParser::new()
    )]
    pub allow_plaintext: Option<bool>,

    /// Refuse to start, with exit code 4, where the surroundings would only be warned about: a display that lets others in without
    /// its cookie, an audit without a key, probes that other machines can read.
    #[arg(
        long,
        env = "DESKHAND_STRICT",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = clap::builder::BoolishValueParser::new()
    )]
    pub strict: Option<bool>,

    /// Record every request, refusal and change of control in this file, as JSON lines that cannot be changed unseen; or on
    /// `stdout`, or in the `syslog`. `deskhand audit verify` checks it.
    #[arg(long, env = "DESKHAND_AUDIT", value_name = "FILE")]
    pub audit: Option<String>,

    /// What happens when nothing can be recorded: `strict` does nothing, `available` goes on and counts [default: strict].
    #[arg(long, env = "DESKHAND_AUDIT_MODE", value_name = "MODE", value_parser = word::<AuditMode>)]
    pub audit_mode: Option<AuditMode>,

    /// The key that makes the records provable; 64 hexadecimal characters that only you can read, as `deskhand token new` makes
    /// them. Without it only a head that was kept elsewhere proves anything.
    #[arg(long, env = "DESKHAND_AUDIT_KEY", value_name = "FILE")]
    pub audit_key: Option<String>,

    /// How much is recorded: `redacted` keeps no text, no key that makes a character and no coordinates, `full` all but secrets
    /// [default: redacted].
    #[arg(long, env = "DESKHAND_AUDIT_DETAILS", value_name = "AMOUNT", value_parser = word::<AuditDetails>)]
    pub audit_details: Option<AuditDetails>,

    /// Begin another audit file when this one has so many bytes [default: 67108864].
    #[arg(long, env = "DESKHAND_AUDIT_MAX_BYTES", value_name = "BYTES")]
    pub audit_max_bytes: Option<u64>,

    /// Keep so many full audit files and remove the oldest [default: all].
    #[arg(long, env = "DESKHAND_AUDIT_KEEP", value_name = "FILES")]
    pub audit_keep: Option<usize>,

    /// How much to log on standard error [default: info].
    #[arg(long, env = "DESKHAND_LOG", value_name = "LEVEL")]
    pub log: Option<LogLevel>,

    /// Read what is not given here from this TOML file; its keys are the names of the flags, and `command`, an array.
    #[arg(long, env = "DESKHAND_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<String>,

    /// Run this program on the display once it is ready and again on each new display; its end ends the server.
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

const PROBE_HELP: &str = "\
Serve /healthz, /readyz and /metrics, and nothing else, also on this IP:PORT (port 0 takes a free one): to anybody, without a \
token and under every Host, as the probes of an orchestrator and Prometheus want it. It gives no control and no picture, but \
the names of users stand in the metrics: an address that is not loopback belongs on a network of your own. On the addresses of \
--listen, /metrics needs a token";

fn xvfb_help() -> String {
    let ((width_min, height_min), (width_max, height_max)) = (SCREEN_MIN, SCREEN_MAX);
    format!(
        "Start and own an Xvfb of this size in pixels, from {width_min}x{height_min} to {width_max}x{height_max}, depth \
         24. Without it, attach to the display of --display or DISPLAY"
    )
}

impl ServeArguments {
    /// Takes from `lower` what is absent here. The three forms of a token are one setting: naming one hides the other below.
    #[must_use]
    pub(super) fn or(self, lower: Self) -> Self {
        let names_a_token = self.token_file.is_some() || self.token_sha256.is_some() || self.tokens.is_some();
        Self {
            xvfb: self.xvfb.or(lower.xvfb),
            display: self.display.or(lower.display),
            xauthority: self.xauthority.or(lower.xauthority),
            screen: self.screen.or(lower.screen),
            pixels_per_notch: self.pixels_per_notch.or(lower.pixels_per_notch),
            listen: first_filled(self.listen, lower.listen),
            probe_listen: self.probe_listen.or(lower.probe_listen),
            token_file: if names_a_token { self.token_file } else { lower.token_file },
            token_sha256: if names_a_token { self.token_sha256 } else { lower.token_sha256 },
            tokens: if names_a_token { self.tokens } else { lower.tokens },
            require_task: self.require_task.or(lower.require_task),
            state: self.state.or(lower.state),
            sandbox: self.sandbox.or(lower.sandbox),
            policy: self.policy.or(lower.policy),
            allow_host: first_filled(self.allow_host, lower.allow_host),
            allow_origin: first_filled(self.allow_origin, lower.allow_origin),
            tls_cert: self.tls_cert.or(lower.tls_cert),
            tls_key: self.tls_key.or(lower.tls_key),
            tls_client_ca: self.tls_client_ca.or(lower.tls_client_ca),
            egress_log: self.egress_log.or(lower.egress_log),
            dial_ca: self.dial_ca.or(lower.dial_ca),
            dial_pin: self.dial_pin.or(lower.dial_pin),
            secrets_fd: self.secrets_fd.or(lower.secrets_fd),
            secret_client: first_filled(self.secret_client, lower.secret_client),
            allow_uid: first_filled(self.allow_uid, lower.allow_uid),
            allow_plaintext: self.allow_plaintext.or(lower.allow_plaintext),
            strict: self.strict.or(lower.strict),
            audit: self.audit.or(lower.audit),
            audit_mode: self.audit_mode.or(lower.audit_mode),
            audit_key: self.audit_key.or(lower.audit_key),
            audit_details: self.audit_details.or(lower.audit_details),
            audit_max_bytes: self.audit_max_bytes.or(lower.audit_max_bytes),
            audit_keep: self.audit_keep.or(lower.audit_keep),
            log: self.log.or(lower.log),
            config: self.config,
            command: first_filled(self.command, lower.command),
        }
    }
}

/// One of the words of a type that the contract spells, as the file would have it.
fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    let word = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(text);
    T::deserialize(word).map_err(|error| error.to_string())
}

fn first_filled<T>(upper: Vec<T>, lower: Vec<T>) -> Vec<T> {
    if upper.is_empty() { lower } else { upper }
}
