//! Questions about the display that no action waits for.

use std::time::Instant;

use super::{
    client::Client,
    context::{Context, Written, microseconds},
    display::Live,
    outcome::Reply,
    replay,
    state::{Engine, Ownership},
};
use crate::{
    desktop::{
        curtain::View,
        windows::{WindowFocus, WindowInfo},
    },
    plan::fit::Geometry,
    protocol::{
        answer::{
            ActionResult, DisplayInfoResult, DisplayInformation, InitializeResult, ServerInformation, StatusResult,
            Timing,
        },
        answer_text,
        control::ControlResult,
        error::{ErrorKind, Failure},
        initialize::PROTOCOL,
        message::MessageText,
        meta::Meta,
        method,
        policy::PolicyInformation,
        request_key::RequestKey,
        schema,
        window::{ListedWindow, WindowsResult},
    },
};

/// The colour depth that every desktop here has: others are refused when it is opened.
const DEPTH: u8 = 24;

/// `display.info`.
///
/// # Errors
/// `display_lost`.
pub async fn display(context: &Context<'_>) -> Result<Reply, Failure> {
    // Both at once: one thread each.
    let evidence = context.live.desktop.capture().evidence();
    let facts = context.live.desktop.observer().facts().await.map_err(|_| lost())??;
    let evidence = evidence.await.map_err(|_| lost())??;
    let result = DisplayInfoResult {
        display: description(&context.live),
        depth: DEPTH,
        owned: context.engine.ownership == Ownership::Owned,
        window_manager: facts.window_manager,
        extensions: facts.extensions,
        evidence,
        sandbox: context.engine.sandbox,
    };
    Ok(Reply::text(answer_text::result(&context.job.prepared.id, &result)))
}

/// `windows.list`.
///
/// # Errors
/// `cancelled`, `deadline_exceeded`, `display_lost`.
pub async fn windows(context: &Context<'_>) -> Result<Reply, Failure> {
    let windows = context.wait_for(context.live.desktop.windows().list()).await??;
    let view = context.engine.secrets.curtain.standing().view;
    let result =
        WindowsResult { windows: windows.iter().map(|window| listed(window, &context.geometry, view)).collect() };
    Ok(Reply::text(answer_text::result(&context.job.prepared.id, &result)))
}

/// A window as a session is told of it. Its title is as much of a picture as an application likes: it comes only where there are
/// pictures.
pub fn listed(window: &WindowInfo, geometry: &Geometry, view: View) -> ListedWindow {
    let [instance, class] = window.seen.class.clone();
    let [x, y, width, height] = geometry.from_native_rectangle(window.place);
    let title = if view == View::Open { window.seen.title.clone() } else { String::new() };
    let active = window.focus == WindowFocus::Here;
    ListedWindow { id: window.id, class, instance, title, x, y, width, height, active }
}

/// `cursor_position`, written behind `text`.
///
/// # Errors
/// `display_lost`.
pub async fn cursor_position(context: &Context<'_>, text: String) -> Result<Written, Failure> {
    let waited = context.waited();
    let pointer = context.live.desktop.observer().pointer().await.map_err(|_| lost())??;
    let cursor @ [x, y] = context.geometry.from_native(pointer);
    let total = microseconds(context.waited());
    let queue_us = microseconds(waited);
    let timing = Timing { queue_us, act_us: total.saturating_sub(queue_us), ..Timing::default() };
    let result = ActionResult {
        output: Some(format!("X={x},Y={y}")),
        notches: None,
        cursor,
        frame: context.live.frame(),
        held: context.live.desktop.input().held(),
        timing,
        settled: None,
    };
    let mut text = MessageText::from(text);
    answer_text::push_result(&mut text, &result, None);
    Ok(Written { text, attachment: None, image_bytes: 0, timing })
}

/// `status`.
pub fn status(engine: &Engine, client: &Client, asked: Option<&RequestKey>) -> StatusResult {
    let mut sessions = engine.sessions();
    let (lease, in_flight) = sessions.status(client.id);
    let (ControlResult { paused, halted }, task) = (sessions.controlled(), sessions.task(client.id));
    let request = asked.map(|key| replay::status(sessions.look_up(Instant::now(), client.id, key)));
    drop(sessions);
    let held = engine.display().live().map(|live| live.desktop.input().held()).unwrap_or_default();
    let session = engine.session_name(client.id);
    StatusResult { session, lease, paused, halted, held, in_flight, task, request }
}

/// `initialize`.
///
/// # Errors
/// `internal` when the session has ended meanwhile.
pub fn initialize(engine: &Engine, client: &Client, live: &Live) -> Result<InitializeResult, Failure> {
    let role = engine.sessions().role(client.id);
    let role = role.ok_or_else(|| Failure::new(ErrorKind::Internal, "the session has ended"))?;
    let options = client.options();
    let policy = engine.policy.as_deref();
    Ok(InitializeResult {
        protocol: PROTOCOL,
        boot: engine.boot.clone(),
        server: ServerInformation { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
        session: engine.session_name(client.id),
        role,
        display: description(live),
        screen: client.geometry(engine.screen, live.desktop.size()).screen,
        coordinate_space: options.space,
        images: options.images,
        limits: schema::limits(),
        methods: method::available().filter(|name| policy.is_none_or(|policy| policy.lists(name))).collect(),
        meta: Meta::SUPPORTED,
        policy: policy.map(|policy| PolicyInformation { sha256: policy.sha256().to_owned() }),
    })
}

/// The display as `initialize` and `display.info` describe it.
fn description(live: &Live) -> DisplayInformation {
    let size = live.desktop.size();
    DisplayInformation { name: live.desktop.name(), epoch: live.epoch.0, width: size.width, height: size.height }
}

fn lost() -> Failure {
    Failure::new(ErrorKind::DisplayLost, "the display was lost; take a screenshot when it is back")
}
