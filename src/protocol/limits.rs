//! Every limit of the wire contract, in one place. Each has a test that stands at its edge and one past it.

use std::time::Duration;

/// The longest JSON-RPC message in bytes; over it the connection is closed with 1009.
pub const MESSAGE_BYTES: usize = 256 * 1024;
/// How deep objects and arrays may nest in a message.
pub const JSON_DEPTH: usize = 64;
/// The longest request id that is a string, in characters.
pub const ID_CHARACTERS: usize = 128;
/// The longest `request_key`, in characters.
pub const REQUEST_KEY_CHARACTERS: usize = 128;
/// The longest text that only records take: what a task is for, how it ended, which model. A paragraph.
pub const RECORD_CHARACTERS: usize = 1024;
/// The acting requests of a task, unless the token allows more.
pub const TASK_TURNS: u32 = 50;
/// The time of a task, unless the token allows more.
pub const TASK_TIME: Duration = Duration::from_secs(15 * 60);
/// The most turns that a task may ask for.
pub const TASK_TURNS_MAX: u32 = 100_000;
/// The longest time that a task may ask for, in seconds: a day.
pub const TASK_SECONDS_MAX: u32 = 86_400;
/// The most tokens of a language model that one report may have: a thousand times the largest context.
pub const REPORTED_TOKENS_MAX: u64 = 1_000_000_000;
/// The most requests of a user's window; each is remembered until it leaves the window.
pub const WINDOW_REQUESTS_MAX: u64 = 1_000_000;
/// The longest text of `type`, in characters.
pub const TEXT_CHARACTERS: usize = 16_384;
/// The longest name of a secret.
pub const SECRET_NAME_CHARACTERS: usize = 64;
/// The longest secret, in characters: room for a private key in PEM, typed in a few milliseconds. Nobody else is served meanwhile.
pub const SECRET_CHARACTERS: usize = 4096;
/// The most secrets at a time. Each has pages of its own, and many systems let a process keep few of them in memory.
pub const SECRETS_MAX: usize = 256;
/// The longest time that a secret is kept or that pictures are refused: 31 days. Whoever wants more gives none.
pub const SECRET_SECONDS_MAX: u64 = 31 * 24 * 3600;
/// The most uses of a secret that are counted.
pub const SECRET_USES_MAX: u32 = 1_000_000;
/// The most keys in one chord.
pub const CHORD_KEYS: usize = 32;
/// The fewest points of a drag.
pub const DRAG_POINTS_MIN: usize = 2;
/// The most points of a drag.
pub const DRAG_POINTS_MAX: usize = 10_000;
/// The most notches of one scroll.
pub const SCROLL_NOTCHES_MAX: u8 = 100;
/// The most repetitions of a key.
pub const KEY_REPEAT_MAX: u8 = 100;
/// The longest `hold_key` and `wait`, in seconds.
pub const DURATION_SECONDS_MAX: f64 = 300.0;
/// The most clicks of one `click`.
pub const CLICK_COUNT_MAX: u8 = 3;
/// The best quality of a JPEG; 1 is the worst.
pub const QUALITY_MAX: u8 = 100;
/// The most actions in a batch.
pub const BATCH_ACTIONS: usize = 100;
/// The most requests of one connection that may be in flight; the next is `overloaded`.
pub const REQUESTS_IN_FLIGHT: usize = 32;
/// The longest `deadline_ms`.
pub const DEADLINE_MS_MAX: u32 = 600_000;
/// The longest `pace_ms`: slower than the slowest typist.
pub const PACE_MS_MAX: u32 = 1_000;
/// The longest `observe.react_ms`.
pub const REACT_MS_MAX: u32 = 10_000;
/// The longest `observe.quiet_ms`, and that of `wait_for`.
pub const QUIET_MS_MAX: u32 = 5_000;
/// The longest `observe.timeout_ms`.
pub const SETTLE_MS_MAX: u32 = 60_000;
/// The most regions of `observe.ignore`: each is looked at for every change of the screen.
pub const OBSERVE_IGNORED_REGIONS: usize = 64;
/// The longest `timeout_ms` of `wait_for`.
pub const WAIT_FOR_MS_MAX: u32 = 300_000;
/// How long a client may take from connecting to the end of its request's head.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(5);
/// The most bytes of a request's head. hyper refuses to go below 8 KiB, which is the contract's figure.
pub const HEADER_BYTES: usize = 8 * 1024;
/// The most header lines of a request.
pub const HEADER_LINES: usize = 64;
/// How long a message may take from its first byte to its last.
pub const MESSAGE_TIME: Duration = Duration::from_secs(10);
/// How often the server pings a quiet peer.
pub const PING_INTERVAL: Duration = Duration::from_secs(15);
/// After how long without any byte a peer counts as dead.
pub const PEER_DEAD_AFTER: Duration = Duration::from_secs(30);
/// The most bytes that wait for a slow reader; past it the connection is closed with 1013.
pub const OUTBOUND_BYTES: usize = 16 * 1024 * 1024;
/// One reply up to this size may exceed [`OUTBOUND_BYTES`] when nothing else waits.
pub const OUTBOUND_REPLY_BYTES: usize = 40 * 1024 * 1024;
/// A stream's next message waits as long as more than this is on its way to its reader: some small events and answers, and no
/// picture. So a reader that is slow holds one message of a stream and no more.
pub const STREAM_WAITS_BEHIND_BYTES: usize = 64 * 1024;
/// The most connections that have not shown a token yet; the next gets 503.
pub const CONNECTIONS_UNAUTHENTICATED: usize = 8;
/// The most WebSocket connections at once; the next gets 503.
pub const CONNECTIONS_AUTHENTICATED: usize = 16;
/// The most subscriptions of one connection; the next is `overloaded`. One for each kind of event that there is.
pub const SUBSCRIPTIONS: usize = 8;
/// How many frames of a stream may be on their way without an acknowledgement: one that the reader works on, and one that
/// travels meanwhile.
pub const FRAMES_UNACKNOWLEDGED: usize = 2;
/// How many of the latest `actions` are kept for those who have subscribed to them, all together; a slower reader misses some.
pub const ACTIONS_KEPT: usize = 64;
/// The smallest screen.
pub const SCREEN_MIN: (u16, u16) = (320, 240);
/// The largest screen.
pub const SCREEN_MAX: (u16, u16) = (3840, 2160);
/// The length of a token in lower-case hexadecimal characters: 256 bits.
pub const TOKEN_CHARACTERS: usize = 64;
/// The most one-time tickets that may be out at once; the oldest make room.
pub const TICKETS: usize = 64;
/// How long a one-time ticket is worth something.
pub const TICKET_TIME: Duration = Duration::from_secs(30);
