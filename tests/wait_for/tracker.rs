//! The thread that follows the windows: what it tells, and that it has the server tell it nothing when nobody listens.

use std::time::Instant;

use deskhand::{
    desktop::{
        ended::EndSignal,
        windows::{WindowFocus, WindowList, Windows, wait::WindowWait},
    },
    protocol::{wait_for::Presence, window::WindowMatch},
};
use tokio::sync::{oneshot, watch};
use x11rb::protocol::xproto::ConnectionExt as _;

use crate::{
    client::{Client, Kind},
    support::{PATIENCE, Xvfb, in_process::within},
};

fn classes(list: &WindowList) -> Vec<&str> {
    list.iter().map(|window| window.seen.class[1].as_str()).collect()
}

/// The newest list, once it is another one than the last that was asked for; `None` at the end.
async fn next(follower: &mut Follower) -> Option<WindowList> {
    loop {
        let newest = follower.lists.borrow_and_update().clone();
        if newest.is_some() && newest != follower.told {
            follower.told.clone_from(&newest);
            return newest;
        }
        follower.lists.changed().await.ok()?;
    }
}

struct Follower {
    lists: watch::Receiver<Option<WindowList>>,
    told: Option<WindowList>,
}

fn follow(windows: &Windows) -> Follower {
    Follower { lists: windows.follow(), told: None }
}

/// The events that any client has selected on a window.
fn selected(client: &Client, window: u32) -> u32 {
    client.connection.get_window_attributes(window).unwrap().reply().unwrap().all_event_masks.into()
}

#[tokio::test]
async fn who_follows_is_told_of_every_list_that_is_different_and_of_the_newest_only() {
    let display = Xvfb::start("640x480");
    let client = Client::on(&display.display);
    let windows = Windows::start(display.link(), EndSignal::default()).unwrap();
    let mut first = follow(&windows);
    assert!(within(next(&mut first)).await.unwrap().is_empty());
    let window = client.window(Kind::Ordinary, [10, 20, 30, 40], ["a", "A"], "one");
    client.map(window);
    let list = within(next(&mut first)).await.unwrap();
    assert_eq!((classes(&list), list[0].id, list[0].focus), (vec!["A"], window, WindowFocus::Elsewhere));
    // Who comes later is told what is.
    let mut second = follow(&windows);
    assert_eq!(within(next(&mut second)).await.unwrap(), list);
    client.title(window, "two");
    assert_eq!(within(next(&mut first)).await.unwrap()[0].seen.title, "two");
    client.move_to(window, 100, 120);
    let moved = within(next(&mut first)).await.unwrap();
    assert_eq!((moved[0].place.x, moved[0].place.y), (100, 120));
    client.unmap(window);
    assert!(within(next(&mut first)).await.unwrap().is_empty());
    // All that has happened since comes as one.
    assert!(within(next(&mut second)).await.unwrap().is_empty());
    drop(windows);
    assert_eq!(within(next(&mut first)).await, None);
}

#[tokio::test]
async fn nothing_is_selected_unless_somebody_listens() {
    let display = Xvfb::start("640x480");
    let client = Client::on(&display.display);
    let windows = Windows::start(display.link(), EndSignal::default()).unwrap();
    let (root, window) = (display.link().root, client.window(Kind::Ordinary, [0, 0, 9, 9], ["a", "A"], ""));
    client.map(window);
    let own = selected(&client, window);
    let is_quiet = || (selected(&client, root), selected(&client, window)) == (0, own);
    assert_eq!(within(windows.list()).await.unwrap().unwrap().len(), 1);
    assert!(is_quiet(), "a list is one look");
    let mut followed = follow(&windows);
    within(next(&mut followed)).await.unwrap();
    assert!(!is_quiet());
    drop(followed);
    let (sender, receiver) = oneshot::channel();
    let now = Instant::now();
    let matched = WindowMatch::default();
    windows.wait_for(WindowWait {
        window: matched,
        presence: Presence::There,
        asked: now,
        until: now + PATIENCE,
        sender,
    });
    within(receiver).await.unwrap().unwrap();
    within(windows.list()).await.unwrap().unwrap();
    assert!(is_quiet(), "the last who listened has gone");
}

#[tokio::test]
async fn many_windows_are_listed_from_the_top_and_a_gone_one_is_not_believed_gone() {
    let display = Xvfb::start("640x480");
    let client = Client::on(&display.display);
    let windows = Windows::start(display.link(), EndSignal::default()).unwrap();
    let honest = client.window(Kind::Ordinary, [0, 0, 9, 9], ["honest", "Honest"], "");
    client.map(honest);
    let crowd: Vec<_> =
        (0..600).map(|_| client.window(Kind::OverrideRedirect, [0, 0, 2, 2], ["crowd", "Crowd"], "")).collect();
    for window in &crowd {
        client.map(*window);
    }
    let list = within(windows.list()).await.unwrap().unwrap();
    assert_eq!((list.len(), list[511].id), (512, crowd[599]));
    let wait = |presence, until| {
        let (sender, receiver) = oneshot::channel();
        let json = serde_json::json!({"class": "honest"});
        let window = serde_json::from_value::<deskhand::protocol::window::WindowParams>(json).unwrap().check().unwrap();
        windows.wait_for(WindowWait { window, presence, asked: Instant::now(), until, sender });
        receiver
    };
    let until = Instant::now() + PATIENCE;
    let (mut gone, there) = (wait(Presence::Gone, until), wait(Presence::There, until));
    within(windows.list()).await.unwrap().unwrap();
    assert!(gone.try_recv().is_err(), "it is there, below all others");
    client.destroy(honest);
    for window in crowd.iter().take(200) {
        client.destroy(*window);
    }
    within(gone).await.unwrap().unwrap();
    drop(there);
}
