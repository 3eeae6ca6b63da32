//! On a socket pair, which behaves like a port as long as its host is there. What a port does beyond that is tried in a virtual
//! machine (`deploy/qemu`).

use std::{
    os::unix::net::UnixStream as Blocking,
    sync::{Arc, Mutex},
};

use tokio::time::timeout;

use super::*;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(5);

/// A port that is served: each connection answers what it reads in capitals, and says in the diary when it begins and ends.
struct Served {
    host: UnixStream,
    diary: Arc<Mutex<Vec<&'static str>>>,
    stop: watch::Sender<bool>,
    serving: JoinHandle<io::Result<()>>,
}

fn served() -> Served {
    let (host, guest) = Blocking::pair().unwrap();
    for end in [&host, &guest] {
        end.set_nonblocking(true).unwrap();
    }
    let port = Port::new(guest.into(), PathBuf::from("/a/port"));
    let (stop, stopped) = watch::channel(false);
    let diary = Arc::new(Mutex::new(Vec::new()));
    let begin = {
        let (diary, stopped) = (Arc::clone(&diary), stopped.clone());
        move |socket: OwnedFd| {
            let stream = UnixStream::from_std(Blocking::from(socket))?;
            diary.lock().unwrap().push("begins");
            Ok(tokio::spawn(shout(stream, Arc::clone(&diary), stopped.clone())))
        }
    };
    let serving = tokio::spawn(port.serve(stopped, begin, || Box::pin(async {})));
    Served { host: UnixStream::from_std(host).unwrap(), diary, stop, serving }
}

async fn shout(mut stream: UnixStream, diary: Arc<Mutex<Vec<&'static str>>>, mut stopped: watch::Receiver<bool>) {
    let mut buffer = [0; 64];
    loop {
        let count = tokio::select! {
            count = stream.read(&mut buffer) => count.unwrap(),
            () = until_stopped(&mut stopped) => {
                stream.write_all(b"goodbye").await.unwrap();
                0
            }
        };
        if count == 0 {
            diary.lock().unwrap().push("ends");
            return;
        }
        stream.write_all(&buffer[..count].to_ascii_uppercase()).await.unwrap();
    }
}

impl Served {
    async fn greet(&mut self) {
        timeout(PATIENCE, greet(&mut self.host)).await.unwrap().unwrap();
    }

    async fn expect(&mut self, bytes: &[u8]) {
        let mut read = vec![0; bytes.len()];
        timeout(PATIENCE, self.host.read_exact(&mut read)).await.unwrap().unwrap();
        assert_eq!(read, bytes);
    }

    fn diary(&self) -> Vec<&'static str> {
        self.diary.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn a_host_that_has_greeted_talks_to_a_connection_of_its_own() {
    let mut served = served();
    served.host.write_all(b"said before anything was agreed").await.unwrap();
    served.greet().await;
    served.host.write_all(b"hello").await.unwrap();
    served.expect(b"HELLO").await;
    assert_eq!(served.diary(), ["begins"]);
}

#[tokio::test]
async fn another_greeting_ends_the_connection_before_it_is_answered() {
    let mut served = served();
    served.greet().await;
    // As a host leaves it that goes in the middle of a message.
    served.host.write_all(b"half a mess").await.unwrap();
    served.expect(b"HALF A MESS").await;
    served.greet().await;
    assert_eq!(served.diary(), ["begins", "ends", "begins"]);
    served.host.write_all(b"whole").await.unwrap();
    served.expect(b"WHOLE").await;
}

#[tokio::test]
async fn a_greeting_in_the_same_read_as_an_old_half_drops_the_half() {
    let mut served = served();
    served.greet().await;
    let line = SyncLine::fresh().unwrap();
    served.host.write_all(&[b"half a mess", line.bytes(), b"whole"].concat()).await.unwrap();
    served.expect(&[line.bytes(), b"WHOLE"].concat()).await;
}

#[tokio::test]
async fn a_host_that_goes_ends_its_connection() {
    let mut served = served();
    served.greet().await;
    let Served { host, diary, stop, serving } = served;
    drop(host);
    let ended = async {
        while diary.lock().unwrap().len() < 2 {
            tokio::time::sleep(HOST_PAUSE).await;
        }
    };
    timeout(PATIENCE, ended).await.unwrap();
    assert_eq!(*diary.lock().unwrap(), ["begins", "ends"]);
    // The port waits for another host, and stops when it is told to.
    assert!(!serving.is_finished());
    stop.send(true).unwrap();
    timeout(PATIENCE, serving).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn last_words_reach_the_host_when_the_server_stops() {
    let mut served = served();
    served.greet().await;
    served.stop.send(true).unwrap();
    served.expect(b"goodbye").await;
    timeout(PATIENCE, served.serving).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_greeting_without_an_answer_is_told_from_one_that_is_refused() {
    let (mut host, guest) = UnixStream::pair().unwrap();
    drop(guest);
    let error = timeout(PATIENCE, greet(&mut host)).await.unwrap().unwrap_err();
    assert!(matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe), "{error}");
}

#[tokio::test]
async fn a_host_whose_greeting_was_lost_greets_again_with_another() {
    let (mut host, mut guest) = UnixStream::pair().unwrap();
    let answering = tokio::spawn(async move {
        let mut line = [0; 47];
        guest.read_exact(&mut line).await.unwrap();
        let first = line;
        guest.read_exact(&mut line).await.unwrap();
        assert_ne!(first, line);
        // The echo of the first comes late, and is none.
        guest.write_all(&[first, line].concat()).await.unwrap();
        guest
    });
    timeout(PATIENCE, greet(&mut host)).await.unwrap().unwrap();
    let mut guest = answering.await.unwrap();
    guest.write_all(b"HTTP").await.unwrap();
    let mut read = [0; 4];
    host.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"HTTP");
}
