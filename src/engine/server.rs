//! The server process from its hand-over to its end.

use std::{os::unix::net::UnixStream, path::Path, sync::Arc};

use serde::Serialize;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{oneshot, watch},
};

use super::{
    display::{self, DisplayState, OpenDesktop},
    egress, recording, sandbox,
    secrets::SecretKeeper,
    secrets_source,
    service::EngineService,
    state::{self, EgressKnown, Engine, Ownership, Parts},
};
use crate::{
    config::{
        AcceptedTokens, Settings,
        display::DisplayChoice,
        policy,
        strictness::Strictness,
        tls::{DialMaterial, KeyPin, TlsMaterial},
        tokens,
        values::ProbeAddress,
    },
    desktop::{Desktop, connection::OpenError, curtain::Curtain, target::Target},
    exit::{Exit, Fatal},
    observe::usage_store::UsageStore,
    protocol::usage::Used,
    protocol::{address::ListenAddress, units::ScreenSize},
    session::policy::Rulebook,
    supervisor::{
        handover::StandardStreams,
        link::{Start, SupervisorLink},
        messages::{Handover, ToServer, ToSupervisor},
    },
    transport::{
        dialler::DialLine,
        http::HttpSettings,
        listener::{self, Listener},
        tls::{ClientChoice, ClientTls, Identity, ServerTls, Trusted},
    },
};

/// After how many polls of tasks the sockets are looked at again. With tokio's 61 a peer that keeps its task busy, 32 messages a poll,
/// keeps everybody else waiting for as long: a click beside a flood of pings took 1.3 ms in the middle, with 4 it takes 0.7. Looking costs
/// a microsecond. What the display's threads have answered (`global_queue_interval`) is not hurried as well: 32 large pictures came faster
/// than they were written, and the reader was called too slow.
const POLLS_BETWEEN_EVENTS: u32 = 4;

/// The line that tells the world where the server is.
#[derive(Debug, Serialize)]
struct Ready {
    event: &'static str,
    listen: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probe: Option<String>,
    display: String,
    xauthority: Option<String>,
    token_file: Option<String>,
    screen: ScreenSize,
    audit: &'static str,
}

/// Runs the server until it is told to stop.
///
/// # Errors
/// Why it could not start or go on, with the exit code that the supervisor passes on.
pub fn serve(start: Start) -> Result<Exit, Fatal> {
    serve_with(start, Desktop::open_for)
}

/// The same with another way to open displays, where tests put faults.
///
/// # Errors
/// As above.
pub fn serve_with(start: Start, open: OpenDesktop) -> Result<Exit, Fatal> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .event_interval(POLLS_BETWEEN_EVENTS)
        .build()
        .map_err(|error| Fatal::new(Exit::Internal, format!("cannot start the runtime: {error}")))?;
    runtime.block_on(run(start, open))
}

/// Why the server ends.
enum Stop {
    /// It was asked to.
    Asked,
    /// It cannot go on.
    Fatal(Fatal),
}

async fn run(start: Start, open: OpenDesktop) -> Result<Exit, Fatal> {
    let Start { handover, streams, witness, dialler, secrets, link } = start;
    let Handover { settings, tokens, .. } = &handover;
    let internal = |error: std::io::Error| Fatal::new(Exit::Internal, error.to_string());
    let mut link = link.open().map_err(internal)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(internal)?;
    // By default a file that may grow no more ends the process; with a handler the write fails, and can be answered.
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default()).map_err(internal)?;
    let policy = handover.policy.as_deref().map(rulebook).transpose()?;

    let tls = handover.tls.as_ref().map(server_tls).transpose()?;
    let mut listeners = bind(settings, streams, tls.as_ref())?;
    listeners.extend(dial(&handover, dialler)?);
    let addresses = listeners.iter().map(|listener| listener.address().to_string()).collect();
    let probe = settings.probe.map(|probe| bind_probe(probe, settings.strictness)).transpose()?;
    let probe_address = probe.as_ref().map(|listener| listener.address().to_string());
    listeners.extend(probe);
    let (ownership, first) = match &settings.display {
        DisplayChoice::Owned { .. } => (Ownership::Owned, None),
        DisplayChoice::Attached { display, xauthority } => {
            let target = Target { display: *display, xauthority: xauthority.clone(), expected_server: None };
            (Ownership::Attached, Some(target))
        }
    };
    let (targets, watched_targets) = watch::channel(first);
    let (states, display) = watch::channel(DisplayState::Away("it is starting".to_owned()));
    let table = tokens.as_ref().map(AcceptedTokens::table).transpose().map_err(Fatal::internal)?;
    let usage = settings.state.as_deref().map(usage).transpose()?;
    let boot = state::new_boot().map_err(|error| Fatal::new(Exit::Internal, format!("no random numbers: {error}")))?;
    let audit = recording::open(settings.audit.as_ref(), &boot, policy.as_deref(), settings.strictness)?;
    let masks = policy.as_deref().and_then(Rulebook::windows_for_masks).cloned();
    let keeper = SecretKeeper::new(Curtain::new(masks), &settings.secret_client);
    if let Some(source) = secrets {
        secrets_source::read(source, &keeper)?;
    }
    let egress_log = settings.egress_log.as_deref().map(egress::open).transpose()?;
    // Behind everything that opens a file, before everything that starts a thread.
    let sandbox = sandbox::enter(&handover, witness)?;
    let engine = Arc::new(Engine::new(Parts {
        display: display.clone(),
        tokens: table.unwrap_or_default(),
        tasks: settings.tasks,
        usage,
        screen: settings.screen,
        notch: settings.pixels_per_notch,
        ownership,
        boot,
        audit: recording::start(audit)?,
        sandbox,
        policy,
        secrets: keeper,
        egress: if egress_log.is_some() { EgressKnown::FromItsLog } else { EgressKnown::No },
    }));

    let (stop, stopped) = oneshot::channel::<()>();
    let http = HttpSettings {
        allowed_hosts: settings.allow_host.iter().cloned().map(String::from).collect(),
        allowed_origins: settings.allow_origin.iter().cloned().map(String::from).collect(),
    };
    let serving = listener::serve(listeners, Arc::new(EngineService(Arc::clone(&engine))), http, async {
        // A sender that is dropped stops the listeners as one that sends.
        stopped.await.ok();
    });
    let mut serving = tokio::spawn(serving);
    if let Some(log) = egress_log {
        let engine = Arc::clone(&engine);
        tokio::spawn(async move { egress::follow(log, &engine).await });
    }
    let curtain = Arc::clone(&engine.secrets.curtain);
    let (attendance, strictness) = (engine.attendance.clone(), settings.strictness);
    let keeping = display::keep(watched_targets, states, attendance, &engine.metrics, open, curtain, strictness);

    let mut announcement = Some(Announcement { addresses, probe: probe_address, handover: &handover, engine: &engine });
    let attend = attend(&mut link, &engine, &targets, display, &mut announcement, tls.as_ref());
    let reason = tokio::select! {
        reason = attend => reason,
        _ = terminate.recv() => Stop::Asked,
        Err(error) = keeping => Stop::Fatal(no_display(&error)),
        () = engine.secrets.tend(&engine) => Stop::Asked,
        // Only standard input and output end by themselves: the host has closed them and wants nothing more.
        _ = &mut serving => Stop::Asked,
    };

    engine.sessions().stop();
    drop(stop);
    engine.release_and_wait().await;
    if !serving.is_finished()
        && let Err(error) = serving.await
    {
        tracing::error!(%error, "the listeners have ended badly");
    }
    engine.audit.close();
    match reason {
        Stop::Asked => Ok(Exit::Fine),
        Stop::Fatal(fatal) => Err(fatal),
    }
}

/// Puts the policy in force, whose keys only the plan can read.
fn rulebook(text: &str) -> Result<Arc<Rulebook>, Fatal> {
    let rules = policy::parse(text).and_then(Rulebook::new);
    rules.map(Arc::new).map_err(|problem| Fatal::usage(format!("the policy file cannot be used: {problem}")))
}

/// The tokens of the month, as they were left.
fn usage(state: &Path) -> Result<(UsageStore, Vec<Used>), Fatal> {
    let failed = |error: &dyn std::fmt::Display| {
        Fatal::new(Exit::Failed, format!("cannot keep what must survive a restart in {}: {error}", state.display()))
    };
    let store = UsageStore::open(state).map_err(|error| failed(&error))?;
    let used = store.read().map_err(|error| failed(&error))?;
    Ok((store, used))
}

/// What the files for TLS say, as the transport has it.
fn server_tls(material: &TlsMaterial) -> Result<ServerTls, Fatal> {
    let TlsMaterial { client_authority, .. } = material;
    ServerTls::new(identity(material), client_authority.as_deref())
        .map_err(|error| Fatal::usage(format!("TLS cannot be spoken: {error}")))
}

fn identity(TlsMaterial { certificate, key, .. }: &TlsMaterial) -> Identity<'_> {
    Identity { certificate, key }
}

fn bind(
    settings: &Settings,
    streams: Option<StandardStreams>,
    tls: Option<&ServerTls>,
) -> Result<Vec<Listener>, Fatal> {
    let mut streams = streams;
    let bound = settings.listen.iter().filter_map(|address| match address {
        ListenAddress::Tcp(address) => Some(match tls {
            Some(tls) => Listener::tls(*address, tls.clone()),
            None => Listener::tcp(*address),
        }),
        ListenAddress::Unix(path) => Some(Listener::unix_for(path.clone(), &settings.allow_uid)),
        ListenAddress::Vsock(port) => Some(Listener::vsock(*port)),
        ListenAddress::Virtio(path) => Some(Listener::virtio(path.clone())),
        // Called, not bound.
        ListenAddress::Dial(_) => None,
        ListenAddress::Stdio => streams.take().map(|streams| Ok(Listener::stdio(streams.input, streams.output))),
    });
    bound.collect::<Result<_, _>>().map_err(|error| Fatal::new(Exit::CouldNotBind, error.to_string()))
}

/// The controllers to call, by the process at the other end of the line.
fn dial(handover: &Handover, line: Option<UnixStream>) -> Result<Vec<Listener>, Fatal> {
    let (Some(line), Some(material)) = (line, &handover.dial) else { return Ok(Vec::new()) };
    let line = Arc::new(DialLine::new(line).map_err(|error| Fatal::internal(error.to_string()))?);
    let trusted = match material {
        DialMaterial::Authority(text) => Trusted::Authority(text),
        DialMaterial::Key(KeyPin(sha256)) => Trusted::Key(*sha256),
    };
    let identity = handover.tls.as_ref().map(identity);
    let tls = ClientTls::new(ClientChoice { trusted, identity })
        .map_err(|error| Fatal::usage(format!("no controller can be called: {error}")))?;
    let urls = handover.settings.listen.iter().filter_map(|address| match address {
        ListenAddress::Dial(url) => Some(url.clone()),
        _ => None,
    });
    Ok((0..).zip(urls).map(|(number, url)| Listener::dial(url, number, Arc::clone(&line), tls.clone())).collect())
}

fn bind_probe(ProbeAddress(address): ProbeAddress, strictness: Strictness) -> Result<Listener, Fatal> {
    if !address.ip().is_loopback() {
        strictness.judge(&format!(
            "probes and metrics, which name users, are readable from other machines without a token, at {address}; \
             --probe-listen 127.0.0.1:PORT keeps them here"
        ))?;
    }
    Listener::probe(address).map_err(|error| Fatal::new(Exit::CouldNotBind, error.to_string()))
}

fn no_display(error: &OpenError) -> Fatal {
    let exit = match error {
        OpenError::Unguarded { .. } => Exit::NotAllowed,
        _ => Exit::NoDisplay,
    };
    Fatal::new(exit, error.to_string())
}

/// Follows supervisor and display until one of them ends the server.
async fn attend(
    link: &mut SupervisorLink,
    engine: &Engine,
    targets: &watch::Sender<Option<Target>>,
    mut display: watch::Receiver<DisplayState>,
    announcement: &mut Option<Announcement<'_>>,
    tls: Option<&ServerTls>,
) -> Stop {
    loop {
        tokio::select! {
            changed = display.changed() => {
                if changed.is_err() {
                    return Stop::Asked;
                }
                let state = display.borrow_and_update().clone();
                if let DisplayState::Here(live) = state {
                    if let Some(announcement) = announcement.take() {
                        announcement.print(&live);
                    }
                    if let Err(error) = link.send(&ToSupervisor::StartCommand).await {
                        return Stop::Fatal(Fatal::new(Exit::Internal, format!("the supervisor cannot be reached: {error}")));
                    }
                }
            }
            message = link.recv() => match message {
                Ok(Some(ToServer::Display { number, pid, xauthority })) => {
                    let target = Target { display: number, xauthority: Some(xauthority), expected_server: Some(pid) };
                    targets.send_replace(Some(target));
                }
                Ok(Some(ToServer::DisplayGone)) => {
                    targets.send_replace(None);
                }
                Ok(Some(ToServer::Tokens { text })) => match tokens::parse(&text) {
                    Ok(table) => {
                        engine.replace_tokens(table);
                        recording::reload(engine, "tokens");
                        tracing::info!("the tokens file was read again");
                    }
                    Err(error) => tracing::error!(%error, "the tokens stay as they were"),
                },
                Ok(Some(ToServer::Tls { material })) => {
                    let replaced = tls.map(|tls| tls.replace(identity(&material), material.client_authority.as_deref()));
                    match replaced.transpose() {
                        Ok(_) => tracing::info!("the certificate was read again"),
                        Err(error) => tracing::warn!(%error, "the certificate stays as it was"),
                    }
                }
                // The supervisor decides what the end of COMMAND means; it asks us to stop if it must.
                Ok(Some(ToServer::CommandStarted { .. } | ToServer::CommandExited { .. })) => {}
                Ok(None) => return Stop::Fatal(Fatal::new(Exit::Internal, "the supervisor has ended")),
                Err(error) => return Stop::Fatal(Fatal::new(Exit::Internal, error.to_string())),
            },
        }
    }
}

/// What the ready line needs, once.
struct Announcement<'a> {
    addresses: Vec<String>,
    probe: Option<String>,
    handover: &'a Handover,
    engine: &'a Engine,
}

impl Announcement<'_> {
    /// Prints the ready line.
    #[allow(clippy::print_stdout, reason = "the ready line is the contract's one line on standard output")]
    fn print(self, live: &display::Live) {
        let Handover { settings, tokens, .. } = self.handover;
        let shown = |path: &Path| path.display().to_string();
        let ready = Ready {
            event: "ready",
            listen: self.addresses,
            probe: self.probe,
            display: live.desktop.name(),
            xauthority: live.desktop.xauthority().map(shown),
            token_file: tokens.as_ref().and_then(AcceptedTokens::file).map(shown),
            screen: crate::plan::fit::screen_size(settings.screen, live.desktop.size()),
            audit: self.engine.audit.mode(),
        };
        match serde_json::to_string(&ready) {
            Ok(text) => println!("{text}"),
            Err(error) => tracing::error!(%error, "the ready line cannot be written"),
        }
    }
}
