//! What is streamed counts as pictures that are asked for do.

use serde_json::json;

use crate::{
    people::{People, connect, token},
    support::{Deskhand, PATIENCE, Viewer},
    video::Video,
};

/// How often somebody was told that there is no more for now.
fn limited(server: &Deskhand) -> u64 {
    let (address, token) = (server.address(), token('1'));
    let request = format!(
        "GET /metrics HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    let text = server.http(request.as_bytes());
    let series = "deskhand_errors_total{kind=\"rate_limited\"} ";
    let value = text.lines().find_map(|line| line.strip_prefix(series)).unwrap_or_else(|| panic!("{text}"));
    value.trim().parse().unwrap()
}

#[test]
fn a_stream_sends_no_more_than_its_user_may_have_and_stands_still_meanwhile() {
    const MOST: usize = 20_000;
    let people = People::new(&[("viewer", "control", '1', &format!("limits = {{ image_bytes = {MOST} }}"))]);
    let server = people.server(&[]);
    let mut viewer = Viewer::on(connect(&server, '1'));
    let mut video = Video::on(&server.display);
    assert_eq!(viewer.next_frame()["full"], true);
    assert!(viewer.bytes < MOST / 4, "an empty screen takes {} bytes", viewer.bytes);

    video.noise_everywhere();
    let begun = std::time::Instant::now();
    while limited(&server) == 0 {
        assert!(begun.elapsed() < PATIENCE, "noise of 900 kB is not refused");
    }
    viewer.controller.must("ping", json!({}));
    assert_eq!(viewer.controller.waiting_events(), 0, "a frame of more than may be sent");
    // It goes on by itself where a frame has room again.
    video.fill([0, 0, 640, 480], 0x20_4060);
    viewer.next_frame();
    assert_eq!(viewer.picture.as_ref().unwrap().pixel(320, 240), [0x20, 0x40, 0x60]);

    // What was sent has taken as much as it was, what was not sent nothing.
    let zoom = json!({"region": [0, 0, 32, 24]});
    let (mut total, mut each) = (viewer.bytes, 0);
    while let Ok(result) = viewer.controller.call("zoom", zoom.clone()) {
        each = usize::try_from(result["image"]["bytes"].as_u64().unwrap()).unwrap();
        total += each;
    }
    assert!(total <= MOST && total + each > MOST, "{total} bytes of {MOST}, {each} at a time");
}
