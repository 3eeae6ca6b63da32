//! A viewer of the screen, as a client library would be: it rebuilds the picture from what is streamed.

use serde_json::{Value, json};

use super::{Controller, Deskhand, Picture};

pub struct Viewer {
    pub controller: Controller,
    pub subscription: Value,
    /// The picture as it is after the last frame; `None` before the first.
    pub picture: Option<Picture>,
    pub epoch: u64,
    pub serial: u64,
    /// How many frames have come, and how many bytes of tiles.
    pub frames: usize,
    pub bytes: usize,
}

impl Viewer {
    /// Connects and subscribes to frames.
    pub fn connect(server: &Deskhand) -> Self {
        Self::on(Controller::connect(server))
    }

    /// The same on a connection that is there.
    pub fn on(mut controller: Controller) -> Self {
        let subscription = controller.must("subscribe", json!({"events": ["frames"]}))["subscription"].clone();
        Self { controller, subscription, picture: None, epoch: 0, serial: 0, frames: 0, bytes: 0 }
    }

    /// Waits for the next frame, puts it into the picture and does not acknowledge it. Returns the event.
    pub fn receive(&mut self) -> Value {
        let mine = self.subscription.clone();
        let event = self.controller.event(|event| event["type"] == "frames" && event["subscription"] == mine);
        self.take_in(&event);
        event
    }

    /// The same, and acknowledges it.
    pub fn next_frame(&mut self) -> Value {
        let event = self.receive();
        self.acknowledge(&event["serial"]).expect("a frame that has come");
        event
    }

    /// Acknowledges a frame.
    pub fn acknowledge(&mut self, serial: &Value) -> Result<Value, Value> {
        self.controller.call("frames.ack", json!({"subscription": self.subscription, "serial": serial}))
    }

    /// Receives until the picture is that of a frame such as `1-7` or a later one.
    pub fn catch_up(&mut self, frame: &Value) {
        let (epoch, serial) = frame.as_str().and_then(|frame| frame.split_once('-')).expect("a frame");
        let wanted: (u64, u64) = (epoch.parse().unwrap(), serial.parse().unwrap());
        while (self.epoch, self.serial) < wanted {
            self.next_frame();
        }
    }

    fn take_in(&mut self, event: &Value) {
        let number = |key: &str| event[key].as_u64().unwrap_or_else(|| panic!("no {key} in {event}"));
        let (epoch, serial) = (number("epoch"), number("serial"));
        let (width, height) = (u32::try_from(number("width")).unwrap(), u32::try_from(number("height")).unwrap());
        let full = event["full"].as_bool().expect("full");
        assert_eq!(full, epoch != self.epoch, "the first frame of a display is a full one, and only that: {event}");
        assert!(full || serial > self.serial, "after {}: {event}", self.serial);
        (self.epoch, self.serial, self.frames) = (epoch, serial, self.frames + 1);
        if full {
            let empty = vec![0; width as usize * height as usize * 3];
            self.picture = Some(Picture { width, height, rgb: empty });
        }
        let tiles = event["tiles"].as_array().expect("tiles");
        assert!(!tiles.is_empty(), "nothing new in {event}");
        let mut covered = 0;
        for tile in tiles {
            assert_eq!(tile["mime"], "image/png", "{tile}");
            let bytes = self.controller.tile(tile);
            self.bytes += bytes.len();
            let part = Picture::from_png(&bytes);
            assert_eq!((&tile["width"], &tile["height"]), (&json!(part.width), &json!(part.height)));
            let at = |key: &str| u32::try_from(tile[key].as_u64().expect("a place")).unwrap();
            let picture = self.picture.as_mut().expect("a full frame before the first difference");
            assert_eq!((picture.width, picture.height), (width, height), "{event}");
            put(picture, &part, at("x"), at("y"));
            covered += part.width * part.height;
        }
        assert!(!full || covered == width * height, "a full frame covers all: {event}");
    }

    /// Whether the picture is exactly this one.
    pub fn shows(&self, picture: &Picture) -> bool {
        self.picture.as_ref() == Some(picture)
    }
}

fn put(picture: &mut Picture, part: &Picture, x: u32, y: u32) {
    assert!(x + part.width <= picture.width && y + part.height <= picture.height, "a tile outside the screen");
    let bytes = |pixels: u32| pixels as usize * 3;
    for (row, line) in part.rgb.chunks_exact(bytes(part.width)).enumerate() {
        let start = (y as usize + row) * bytes(picture.width) + bytes(x);
        picture.rgb[start..start + line.len()].copy_from_slice(line);
    }
}
