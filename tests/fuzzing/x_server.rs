//! An X server that says anything: whatever is asked is answered with the next of the bytes, and then it is gone.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    thread,
    time::Duration,
};

use deskhand::{
    desktop::{
        connection::{Link, LinkError},
        cursor,
        events::Events,
        focus, grabs, toplevel, xkb_map,
    },
    protocol::units::NativePoint,
};

#[path = "../../src/desktop/fake_setup.rs"]
mod fake_setup;

/// How long an answer may take: what is not answered is not waited for long.
const LIMIT: Duration = Duration::from_millis(50);

/// How long nothing is asked before the server goes.
const SILENCE: Duration = Duration::from_millis(5);

/// Asks what every action and every look asks; each question ends with an answer or an error.
pub fn target(bytes: &[u8]) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let script = bytes.to_vec();
    let server = thread::spawn(move || serve(theirs, &script));
    if let Ok(link) = Link::set_up(ours, None, LIMIT) {
        ask(&link).ok();
        drop(link);
    }
    // It ends with its bytes, or with the link.
    server.join().expect("a server that only writes");
}

fn ask(link: &Link) -> Result<(), LinkError> {
    let _limit = link.within(LIMIT);
    let device = go_on(xkb_map::xtest_keyboard(link))?;
    if let Some(device) = device {
        go_on(xkb_map::read_map(link, device))?;
    }
    go_on(xkb_map::read_state(link))?;
    go_on(focus::follows_pointer(link))?;
    go_on(focus::under_pointer(link))?;
    go_on(focus::ancestry(link, link.root))?;
    go_on(toplevel::around(link, link.root))?;
    go_on(toplevel::at(link, NativePoint { x: 1, y: 1 }))?;
    go_on(grabs::Client::of(link, link.root).process_id(link))?;
    go_on(Events::subscribe(link))?;
    if let Some(Some(source)) = go_on(cursor::CursorSource::set_up(link))? {
        let asked = source.ask(link).map_err(|error| LinkError::Lost(error.to_string()));
        if let Some(asked) = go_on(asked)?
            && let Some(reply) = go_on(link.reply(Ok(asked)))?
        {
            cursor::placed(reply);
        }
    }
    go_on(link.round_trip()).map(drop)
}

/// Only a connection that has ended is the end of the questions.
fn go_on<T>(answer: Result<T, LinkError>) -> Result<Option<T>, LinkError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error @ (LinkError::Lost(_) | LinkError::Unresponsive)) => Err(error),
        Err(LinkError::Refused(_)) => Ok(None),
    }
}

fn serve(mut stream: UnixStream, script: &[u8]) {
    let mut hello = [0; 12];
    let padded = |length: [u8; 2]| usize::from(u16::from_ne_bytes(length)).next_multiple_of(4);
    if stream.read_exact(&mut hello).is_err() {
        return;
    }
    let mut authorization = vec![0; padded([hello[6], hello[7]]) + padded([hello[8], hello[9]])];
    // Whoever asks nothing more waits for what does not come.
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    let introduced = stream
        .read_exact(&mut authorization)
        .and_then(|()| stream.write_all(&fake_setup::introduction(&fake_setup::setup())));
    let (mut sequence, mut rest) = (0_u16, script);
    while introduced.is_ok() && !rest.is_empty() {
        let mut header = [0; 4];
        if stream.read_exact(&mut header).is_err() {
            return;
        }
        let length = usize::from(u16::from_ne_bytes([header[2], header[3]])) * 4;
        let body = (&mut stream).take(length.saturating_sub(4) as u64).read_to_end(&mut Vec::new());
        sequence = sequence.wrapping_add(1);
        if body.is_err() || answer(&mut stream, sequence, &mut rest).is_err() {
            return;
        }
    }
}

/// A reply, an error, an event or anything, by the next byte, made of those that follow.
fn answer(stream: &mut UnixStream, sequence: u16, rest: &mut &[u8]) -> std::io::Result<()> {
    let mut take = |count: usize| {
        let (now, later) = rest.split_at(count.min(rest.len()));
        *rest = later;
        now.to_vec()
    };
    let kind = take(1).first().copied().unwrap_or_default();
    let mut message = take(32);
    message.resize(32, 0);
    message[2..4].copy_from_slice(&sequence.to_ne_bytes());
    match kind % 8 {
        0 => message[0] = 0,
        1 => message[0] = message[0].max(2),
        2 => return stream.write_all(&take(64)),
        // The length is another one than what follows in one of two cases.
        3 => message[0] = 1,
        _ => {
            message[0] = 1;
            let units = usize::from(kind / 8);
            message[4..8].copy_from_slice(&u32::try_from(units).unwrap_or_default().to_ne_bytes());
            let mut more = take(units * 4);
            more.resize(units * 4, 0);
            message.extend(more);
        }
    }
    stream.write_all(&message)
}
