//! The clipboard thread's body: owns selections for a paste, answers requests for them, gives them back. Whoever asks is
//! hostile until shown otherwise: during a paste only the application that is pasted into gets the text.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, TryRecvError},
    },
    time::{Duration, Instant},
};

use x11rb::protocol::{
    Event,
    xproto::{
        Atom, AtomEnum, ConnectionExt as _, EventMask, Property, SELECTION_NOTIFY_EVENT, SelectionNotifyEvent,
        SelectionRequestEvent, Timestamp, Window,
    },
};

use super::{
    Command, Order, Outcome, Selection,
    content::{Content, Value},
    exchange::{Exchange, Phase},
    keeper::{self, Budget},
    listener::{Listener, after, earlier, is_before, is_of_server},
    rate::Rate,
    transfer::{Progress, Transfer, limit, write},
};
use crate::desktop::{
    connection::{Link, LinkError, OPERATION_TIME},
    permit::Waker,
};

/// How much of former owners' contents is saved, both selections together: texts and the picture of a screen fit, and the
/// server's memory stays within what it promises even with an owner that sends without end.
const SAVED_BYTES: usize = 4 * 1024 * 1024;
/// How long the owners may take: every paste waits for it, and one that does not answer is rare.
const SAVING_TIME: Duration = Duration::from_millis(300);
/// How many values may be on their way: an application asks for one at a time, several applications may read at once.
const TRANSFERS: usize = 16;
/// How many events are taken before commands and times get their turn.
const EVENTS_AT_ONCE: usize = 100;
/// How many pairs of a `MULTIPLE` request are answered; applications ask for two or three.
const PAIRS: u32 = 16;
/// How long an application that has taken the text is taken to ask because of that paste, unless keys follow earlier: Calc of
/// the office suite asks twice, Chromium a dozen times, and neither always with the time of the key.
const AFTER_TEXT: Duration = Duration::from_millis(500);
/// The same for one that did not take the text in time: it must not get in its place what was there before. A hand that
/// pastes there within that time gets nothing.
const AFTER_REFUSAL: Duration = Duration::from_secs(2);
/// How long we stay the owner of nothing after a paste: the application may ask again because of it, as `LibreOffice` Calc
/// does.
const RELEASE_AFTER: Duration = Duration::from_secs(2);

/// A paste under way.
#[derive(Debug)]
struct Paste {
    content: Content,
    target: u32,
    selections: Vec<Selection>,
    exchange: Arc<Exchange>,
}

/// The paste that ended last.
#[derive(Debug)]
struct Aftermath {
    /// What its application gets for requests of that time; `None`: nothing.
    content: Option<Content>,
    target: u32,
    /// When it ended. Later requests are not its own.
    ended: Timestamp,
    /// Until when its requests count as its own, whatever their time.
    until: Instant,
}

/// One selection as we hold it.
#[derive(Debug, Default)]
struct Holding {
    /// Since when we are the owner.
    since: Option<Timestamp>,
    /// What everybody gets when no paste is under way.
    kept: Content,
}

/// What a request is answered with.
enum Answer {
    Nothing,
    /// A content, and the paste that it is the text of.
    Content(Content, Option<Arc<Exchange>>),
}

/// The state of the clipboard thread.
#[derive(Debug)]
pub(super) struct Server {
    listener: Listener,
    clipboard: Holding,
    primary: Holding,
    paste: Option<Paste>,
    aftermath: Option<Aftermath>,
    transfers: Vec<Transfer>,
    /// When selections without content are given up.
    release_at: Option<Instant>,
    rate: Rate,
}

impl Server {
    pub(super) fn new(link: Link) -> Result<Self, LinkError> {
        Ok(Self {
            listener: Listener::new(link)?,
            clipboard: Holding::default(),
            primary: Holding::default(),
            paste: None,
            aftermath: None,
            transfers: Vec::new(),
            release_at: None,
            rate: Rate::new(Instant::now()),
        })
    }

    /// Works until nobody can send commands any more (`Ok`) or the connection ends.
    pub(super) fn run(&mut self, commands: &Receiver<Command>, waker: &Waker) -> Result<(), LinkError> {
        loop {
            waker.clear();
            match commands.try_recv() {
                Ok(command) => self.tolerate(|server| server.execute(command))?,
                Err(TryRecvError::Disconnected) => return Ok(()),
                Err(TryRecvError::Empty) => {
                    let mut more = false;
                    self.tolerate(|server| {
                        more = server.listen()?;
                        server.expire()
                    })?;
                    if !more {
                        self.tolerate(|server| server.listener.sleep(waker, server.next_time()))?;
                    }
                }
            }
        }
    }

    /// Does something within the time of an operation. A server that does not answer is not the end: it may go on.
    fn tolerate(&mut self, work: impl FnOnce(&mut Self) -> Result<(), LinkError>) -> Result<(), LinkError> {
        // Sleeping does not count; only waits for the server's bytes end at the stream's deadline.
        let stream = self.listener.link.connection.stream();
        stream.set_deadline(Some(after(OPERATION_TIME)));
        let done = work(self);
        self.listener.link.connection.stream().set_deadline(None);
        match done {
            Ok(()) => Ok(()),
            Err(error) => {
                if let Some(paste) = &self.paste {
                    paste.exchange.enter(Phase::Failed(error.clone()));
                }
                match error {
                    LinkError::Lost(_) => Err(error),
                    LinkError::Unresponsive | LinkError::Refused(_) => Ok(()),
                }
            }
        }
    }

    fn execute(&mut self, command: Command) -> Result<(), LinkError> {
        match command {
            Command::Offer(order) => {
                let exchange = Arc::clone(&order.exchange);
                let offered = self.offer(order);
                if let Err(error) = &offered {
                    exchange.enter(Phase::Failed(error.clone()));
                }
                offered
            }
            Command::InputFollows => {
                // What was refused stays refused: the application may not have come to the chord yet.
                if let Some(aftermath) = self.aftermath.as_mut().filter(|aftermath| aftermath.content.is_some()) {
                    aftermath.until = Instant::now();
                }
                Ok(())
            }
            Command::Withdraw(exchange, outcome) => {
                let withdrawn = self.withdraw(&exchange, outcome);
                exchange.end();
                withdrawn
            }
        }
    }

    fn holding(&mut self, selection: Selection) -> &mut Holding {
        match selection {
            Selection::Clipboard => &mut self.clipboard,
            Selection::Primary => &mut self.primary,
        }
    }

    fn offer(&mut self, order: Order) -> Result<(), LinkError> {
        let Order { text, target, selections, exchange } = order;
        self.aftermath = None;
        self.release_at = None;
        let now = self.listener.timestamp()?;
        let mut budget = Budget { bytes: SAVED_BYTES, until: after(SAVING_TIME) };
        for &selection in &selections {
            if self.holding(selection).since.is_none() {
                self.holding(selection).kept = keeper::save(&mut self.listener, selection, now, &mut budget)?;
            }
        }
        let paste = Paste { content: Content::of_text(text), target, selections, exchange };
        let time = self.listener.timestamp()?;
        let owned =
            paste.selections.iter().try_fold(true, |owned, &selection| Ok(self.own(selection, time)? && owned))?;
        paste.exchange.enter(if owned { Phase::Offered } else { Phase::Lost });
        self.paste = Some(paste);
        Ok(())
    }

    /// Becomes the owner as of a time, and says whether that worked.
    fn own(&mut self, selection: Selection, time: Timestamp) -> Result<bool, LinkError> {
        let (window, name) = (self.listener.window, selection.atom(&self.listener.atoms));
        self.set_owner(window, name, time)?;
        let owned = self.owner(name)? == window;
        self.holding(selection).since = owned.then_some(time);
        Ok(owned)
    }

    fn set_owner(&self, window: Window, selection: Atom, time: Timestamp) -> Result<(), LinkError> {
        let link = &self.listener.link;
        let sent = link.connection.set_selection_owner(window, selection, time);
        sent.map_err(|error| link.explain(error))?.ignore_error();
        Ok(())
    }

    fn owner(&self, selection: Atom) -> Result<Window, LinkError> {
        let link = &self.listener.link;
        Ok(link.reply(link.connection.get_selection_owner(selection))?.owner)
    }

    /// Ends a paste: from now on everybody gets what was there before.
    fn withdraw(&mut self, exchange: &Arc<Exchange>, outcome: Outcome) -> Result<(), LinkError> {
        let Some(paste) = self.paste.take_if(|paste| Arc::ptr_eq(&paste.exchange, exchange)) else { return Ok(()) };
        let (content, time) = match outcome {
            Outcome::HasText => (Some(paste.content), AFTER_TEXT),
            Outcome::Refused => (None, AFTER_REFUSAL),
        };
        let ended = self.listener.timestamp()?;
        self.aftermath = Some(Aftermath { content, target: paste.target, ended, until: after(time) });
        self.release_at = Some(after(RELEASE_AFTER));
        for selection in paste.selections {
            let holding = self.holding(selection);
            if holding.since.is_some() && !holding.kept.is_empty() {
                // Anew, so that whoever watches the owner looks at the targets again.
                self.own(selection, ended)?;
            }
        }
        Ok(())
    }

    /// Takes events. Says whether there may be more.
    fn listen(&mut self) -> Result<bool, LinkError> {
        for _ in 0..EVENTS_AT_ONCE {
            match self.listener.next()? {
                Some(event) => self.take(&event)?,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    fn take(&mut self, event: &Event) -> Result<(), LinkError> {
        match event {
            // A forged request could pass for the application's.
            Event::SelectionRequest(request) if is_of_server(request.response_type) => {
                let client = self.listener.client_of(request.requestor);
                if self.rate.admits(client, Instant::now()) { self.answer(request) } else { Ok(()) }
            }
            Event::SelectionClear(event) => self.cleared(event.selection),
            Event::PropertyNotify(event) if event.state == Property::DELETE && is_of_server(event.response_type) => {
                self.deleted(event.window, event.atom)
            }
            Event::DestroyNotify(event) => {
                self.transfers.retain(|transfer| transfer.requestor != event.window);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Somebody else may have become the owner; the event alone does not say so, as it comes for our own changes too.
    fn cleared(&mut self, name: Atom) -> Result<(), LinkError> {
        let atoms = self.listener.atoms;
        let found = [Selection::Clipboard, Selection::Primary].into_iter().find(|known| known.atom(&atoms) == name);
        let Some(selection) = found else { return Ok(()) };
        if self.holding(selection).since.is_none() || self.owner(name)? == self.listener.window {
            return Ok(());
        }
        *self.holding(selection) = Holding::default();
        if let Some(paste) = self.paste.as_ref().filter(|paste| paste.selections.contains(&selection)) {
            paste.exchange.enter(Phase::Lost);
        }
        Ok(())
    }

    fn answer(&mut self, request: &SelectionRequestEvent) -> Result<(), LinkError> {
        // Old clients leave the property to us (ICCCM, section 2.2).
        let property = if request.property == x11rb::NONE { request.target } else { request.property };
        let mut transfer = None;
        let mut written = false;
        if !self.listener.is_ours(request.requestor)
            && let Answer::Content(content, exchange) = self.content_for(request)
        {
            let since = self.since(request.selection);
            if request.target == self.listener.atoms.MULTIPLE {
                written = request.property != x11rb::NONE && self.answer_multiple(request, &content, since)?;
            } else if let Some(value) = self.small_value(request.target, &content, since) {
                write(&self.listener, request.requestor, property, &value, &value.bytes)?;
                written = true;
            } else if let Some(value) = content.value(request.target, &self.listener.atoms)
                && self.has_room(exchange.is_some())
            {
                transfer = Some(Transfer::begin(&self.listener, request.requestor, property, value, exchange)?);
                written = true;
            }
        }
        self.notify(request, if written { property } else { x11rb::NONE })?;
        if let Some(transfer) = transfer {
            if transfer.is_paste() {
                // The server has it before the input thread goes on, so that keys come behind it.
                self.listener.link.round_trip()?;
                transfer.announced();
            }
            self.transfers.push(transfer);
        }
        Ok(())
    }

    fn since(&mut self, name: Atom) -> Option<Timestamp> {
        if name == self.listener.atoms.CLIPBOARD { self.clipboard.since } else { self.primary.since }
    }

    /// Who may have what.
    fn content_for(&mut self, request: &SelectionRequestEvent) -> Answer {
        let atoms = self.listener.atoms;
        let client = self.listener.client_of(request.requestor);
        let selections = [Selection::Clipboard, Selection::Primary];
        let Some(selection) = selections.into_iter().find(|known| known.atom(&atoms) == request.selection) else {
            return Answer::Nothing;
        };
        let Some(since) = self.holding(selection).since else { return Answer::Nothing };
        let is_timed = request.time != x11rb::CURRENT_TIME;
        if let Some(paste) = self.paste.as_ref().filter(|paste| paste.selections.contains(&selection)) {
            if client != paste.target {
                return Answer::Nothing;
            }
            let exchange = paste.exchange.is_pressed().then(|| Arc::clone(&paste.exchange));
            return Answer::Content(paste.content.clone(), exchange);
        }
        if let Some(aftermath) = self.aftermath.as_mut().filter(|aftermath| aftermath.target == client) {
            let is_earlier = is_timed && is_before(request.time, aftermath.ended);
            let belongs = is_earlier || Instant::now() < aftermath.until;
            if belongs {
                return aftermath.content.clone().map_or(Answer::Nothing, |content| Answer::Content(content, None));
            }
        }
        let kept = &self.holding(selection).kept;
        if kept.is_empty() || (is_timed && is_before(request.time, since)) {
            return Answer::Nothing;
        }
        Answer::Content(kept.clone(), None)
    }

    /// What is not the content itself, but about it.
    fn small_value(&self, target: Atom, content: &Content, since: Option<Timestamp>) -> Option<Value> {
        let atoms = &self.listener.atoms;
        let of = |kind: AtomEnum, elements: &[u32]| {
            let bytes = elements.iter().flat_map(|element| element.to_ne_bytes()).collect();
            Some(Value { kind: kind.into(), format: 32, bytes })
        };
        match target {
            _ if target == atoms.TARGETS => of(AtomEnum::ATOM, &content.targets(atoms)),
            _ if target == atoms.TIMESTAMP => of(AtomEnum::INTEGER, &[since?]),
            _ => None,
        }
    }

    /// Answers several targets in one request: the property lists targets and properties, and those that are refused are
    /// replaced by `None` (ICCCM, section 2.6.2). Only what fits into a property at once is given this way.
    fn answer_multiple(
        &self,
        request: &SelectionRequestEvent,
        content: &Content,
        since: Option<Timestamp>,
    ) -> Result<bool, LinkError> {
        let (listener, atoms) = (&self.listener, &self.listener.atoms);
        let (window, kind) = (request.requestor, atoms.ATOM_PAIR);
        let asked = listener.link.connection.get_property(false, window, request.property, kind, 0, PAIRS * 2);
        let list = match listener.link.reply(asked) {
            Ok(list) => list,
            Err(LinkError::Refused(_)) => return Ok(false),
            Err(error) => return Err(error),
        };
        let Some(atoms_listed) = list.value32().map(Iterator::collect::<Vec<_>>) else { return Ok(false) };
        let mut answered = Vec::new();
        for pair in atoms_listed.chunks_exact(2) {
            let (target, property) = (pair[0], pair[1]);
            let value = self.small_value(target, content, since).or_else(|| content.value(target, atoms));
            let fits = value.filter(|value| property != x11rb::NONE && value.bytes.len() <= limit(listener));
            answered.extend([target, if fits.is_some() { property } else { x11rb::NONE }]);
            if let Some(value) = fits {
                write(listener, window, property, &value, &value.bytes)?;
            }
        }
        let bytes = answered.iter().flat_map(|atom| atom.to_ne_bytes()).collect();
        let value = Value { kind, format: 32, bytes };
        write(listener, window, request.property, &value, &value.bytes)?;
        Ok(true)
    }

    /// Whether one more value may be on its way. A paste is not kept out by others.
    fn has_room(&mut self, is_paste: bool) -> bool {
        if self.transfers.len() < TRANSFERS {
            return true;
        }
        let other = self.transfers.iter().position(|transfer| !transfer.is_paste());
        match other {
            Some(index) if is_paste => {
                self.transfers.remove(index);
                true
            }
            _ => false,
        }
    }

    fn notify(&self, request: &SelectionRequestEvent, property: Atom) -> Result<(), LinkError> {
        let answer = SelectionNotifyEvent {
            response_type: SELECTION_NOTIFY_EVENT,
            sequence: 0,
            time: request.time,
            requestor: request.requestor,
            selection: request.selection,
            target: request.target,
            property,
        };
        let link = &self.listener.link;
        let sent = link.connection.send_event(false, request.requestor, EventMask::NO_EVENT, answer);
        sent.map_err(|error| link.explain(error))?.ignore_error();
        Ok(())
    }

    fn deleted(&mut self, window: Window, property: Atom) -> Result<(), LinkError> {
        let is_it = |transfer: &Transfer| (transfer.requestor, transfer.property) == (window, property);
        let Some(index) = self.transfers.iter().position(is_it) else { return Ok(()) };
        if self.transfers[index].deleted(&self.listener)? == Progress::Done {
            self.transfers.remove(index);
            self.stop_watching(window)?;
        }
        Ok(())
    }

    fn stop_watching(&self, window: Window) -> Result<(), LinkError> {
        if self.transfers.iter().any(|transfer| transfer.requestor == window) {
            return Ok(());
        }
        self.listener.watch(window, false)
    }

    /// Gives up what has waited for too long.
    fn expire(&mut self) -> Result<(), LinkError> {
        let now = Instant::now();
        while let Some(index) = self.transfers.iter().position(|transfer| transfer.expires <= now) {
            let given_up = self.transfers.remove(index);
            self.stop_watching(given_up.requestor)?;
        }
        if self.release_at.is_some_and(|at| at <= now) {
            self.release_at = None;
            for selection in [Selection::Clipboard, Selection::Primary] {
                self.release_if_empty(selection)?;
            }
        }
        Ok(())
    }

    fn release_if_empty(&mut self, selection: Selection) -> Result<(), LinkError> {
        let holding = self.holding(selection);
        if holding.kept.is_empty()
            && let Some(since) = holding.since.take()
        {
            let name = selection.atom(&self.listener.atoms);
            // With the time of our own ownership: a newer owner is not disturbed (X protocol, `SetSelectionOwner`).
            self.set_owner(x11rb::NONE, name, since)?;
        }
        Ok(())
    }

    /// When something is to be done without an event.
    fn next_time(&self) -> Option<Instant> {
        let transfers = self.transfers.iter().map(|transfer| transfer.expires).min();
        earlier(transfers, self.release_at)
    }
}
