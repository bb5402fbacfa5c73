//! A bad line between the bot and something it talks to: slow, silent, refused, in small pieces, or cut in an answer.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// How the line is, for all connections, until it is set to something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// What comes passes.
    Clear,
    /// Each piece of an answer takes `least` and up to `jitter` more.
    Slow { least: Duration, jitter: Duration },
    /// Answers come in pieces of so many bytes.
    Sliced(usize),
    /// Connections are accepted and nothing passes; what was sent meanwhile arrives when it is over.
    BlackHole,
    /// Nobody listens, and what was open is reset.
    Refused,
}

/// What the proxy did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    /// Connections that it accepted.
    pub(crate) accepted: u64,
    /// Connections that it reset.
    pub(crate) reset: u64,
    /// Pieces that it held back for a while.
    pub(crate) delayed: u64,
    /// Bytes of answers that it let through.
    pub(crate) answered: u64,
}

#[derive(Clone, Debug)]
enum Far {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// Cuts the answers of so many requests in which a word stands.
#[derive(Clone, Debug)]
struct Cut {
    /// How many of them pass first.
    spared: u64,
    requests: u64,
    word: String,
    at: usize,
}

#[derive(Debug)]
struct Shared {
    far: Far,
    line: watch::Sender<Line>,
    /// How many connections there are.
    open: watch::Sender<usize>,
    cut: Mutex<Option<Cut>>,
    done: Mutex<Done>,
    seed: u64,
}

/// The proxy; it ends with all its connections when this is dropped.
#[derive(Debug)]
pub(crate) struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl FaultProxy {
    pub(crate) async fn to_tcp(far: SocketAddr) -> Self {
        Self::start(Far::Tcp(far)).await
    }

    pub(crate) async fn to_unix(far: &Path) -> Self {
        Self::start(Far::Unix(far.to_owned())).await
    }

    async fn start(far: Far) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (line, open) = (watch::Sender::new(Line::Clear), watch::Sender::new(0));
        let (cut, done) = (Mutex::default(), Mutex::default());
        let shared = Shared { far, line, open, cut, done, seed: 20_261_121 };
        let shared = Arc::new(shared);
        let task = tokio::spawn(accept_for_ever(listener, address, Arc::clone(&shared)));
        Self { address, shared, task }
    }

    /// Where the bot is to go instead.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the line, at once and also for the connections that are open.
    pub(crate) fn set(&self, line: Line) {
        self.shared.line.send_replace(line);
    }

    /// Resets all connections; new ones find the line clear.
    pub(crate) async fn interrupt(&self) {
        self.set(Line::Refused);
        let mut open = self.shared.open.subscribe();
        open.wait_for(|open| *open == 0).await.expect("we hold the sender");
        self.set(Line::Clear);
    }

    /// Lets `at` bytes of what is answered to each of the next so many `requests` with this word in it through, and then
    /// resets its connection; with 0 the request is executed and its answer swallowed.
    pub(crate) fn cut(&self, requests: u64, word: &str, at: usize) {
        let word = word.to_owned();
        *self.shared.cut.lock().unwrap() = Some(Cut { spared: 0, requests, word, at });
    }

    /// The same to the `nth` request with this word in it, counted from 1.
    pub(crate) fn cut_nth(&self, nth: u64, word: &str, at: usize) {
        let word = word.to_owned();
        *self.shared.cut.lock().unwrap() = Some(Cut { spared: nth - 1, requests: 1, word, at });
    }

    pub(crate) fn done(&self) -> Done {
        *self.shared.done.lock().unwrap()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept_for_ever(listener: TcpListener, address: SocketAddr, shared: Arc<Shared>) {
    let mut line = shared.line.subscribe();
    let (mut listener, mut connections) = (Some(listener), JoinSet::new());
    loop {
        if *line.borrow_and_update() == Line::Refused {
            listener = None;
        } else if listener.is_none() {
            listener = Some(TcpListener::bind(address).await.expect("the port is still ours"));
        }
        tokio::select! {
            changed = line.changed() => changed.expect("we hold the sender"),
            accepted = async { listener.as_ref().unwrap().accept().await }, if listener.is_some() => {
                let Ok((near, _)) = accepted else { continue };
                let number = shared.count(|done| {
                    done.accepted += 1;
                    done.accepted
                });
                shared.open.send_modify(|open| *open += 1);
                let (connection, shared) = (Connection::new(&shared, number), Arc::clone(&shared));
                connections.spawn(async move {
                    connection.carry(near).await;
                    shared.open.send_modify(|open| *open -= 1);
                });
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

impl Shared {
    fn count<T>(&self, change: impl FnOnce(&mut Done) -> T) -> T {
        change(&mut self.done.lock().unwrap())
    }

    /// Where the answer to this request is to be cut.
    fn strikes(&self, request: &[u8]) -> Option<usize> {
        let mut cut = self.cut.lock().unwrap();
        let struck = cut.as_mut().filter(|cut| cut.requests > 0 && contains(request, cut.word.as_bytes()))?;
        if struck.spared > 0 {
            struck.spared -= 1;
            return None;
        }
        struck.requests -= 1;
        Some(struck.at)
    }
}

struct Connection {
    shared: Arc<Shared>,
    line: watch::Receiver<Line>,
    rng: StdRng,
    /// How many bytes of answers may still pass.
    left: Arc<Mutex<Option<usize>>>,
}

/// The connection is to be reset, not closed.
struct Reset;

impl Connection {
    fn new(shared: &Arc<Shared>, number: u64) -> Self {
        let (line, left) = (shared.line.subscribe(), Arc::default());
        Self { shared: Arc::clone(shared), line, rng: StdRng::seed_from_u64(shared.seed + number), left }
    }

    async fn carry(mut self, mut near: TcpStream) {
        let _is_quicker = near.set_nodelay(true);
        self.passable().await;
        let carried = match self.shared.far.clone() {
            Far::Tcp(address) => match TcpStream::connect(address).await {
                Ok(far) => self.between(&mut near, far).await,
                Err(_) => Err(Reset),
            },
            Far::Unix(path) => match UnixStream::connect(path).await {
                Ok(far) => self.between(&mut near, far).await,
                Err(_) => Err(Reset),
            },
        };
        if carried.is_err() {
            let _is_a_reset = near.set_zero_linger();
            self.shared.count(|done| done.reset += 1);
        }
    }

    async fn between<F>(&mut self, near: &mut TcpStream, far: F) -> Result<(), Reset>
    where
        F: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut asking, mut answered) = near.split();
        let (mut answering, mut asked) = tokio::io::split(far);
        let (shared, left) = (Arc::clone(&self.shared), Arc::clone(&self.left));
        let (mut line, mut refused) = (self.line.clone(), self.line.clone());
        let requests = async {
            let mut piece = vec![0; 65_536];
            while let Ok(length @ 1..) = asking.read(&mut piece).await {
                passable(&mut line).await;
                if let Some(at) = shared.strikes(&piece[..length]) {
                    *left.lock().unwrap() = Some(at);
                }
                if asked.write_all(&piece[..length]).await.is_err() {
                    return;
                }
            }
        };
        let answers = async {
            let mut piece = vec![0; 65_536];
            while let Ok(length @ 1..) = answering.read(&mut piece).await {
                self.wait().await;
                if self.give(&mut answered, &piece[..length]).await?.is_err() {
                    break;
                }
            }
            Ok(())
        };
        tokio::select! {
            () = requests => Ok(()),
            carried = answers => carried,
            _ = refused.wait_for(|line| *line == Line::Refused) => Err(Reset),
        }
    }

    /// How long this piece of an answer takes.
    async fn wait(&mut self) {
        let line = *self.line.borrow_and_update();
        if let Line::Slow { least, jitter } = line {
            self.shared.count(|done| done.delayed += 1);
            tokio::time::sleep(least + jitter.mul_f64(self.rng.random())).await;
        }
        self.passable().await;
    }

    async fn passable(&mut self) {
        passable(&mut self.line).await;
    }

    async fn give(
        &mut self,
        near: &mut (impl AsyncWrite + Unpin),
        piece: &[u8],
    ) -> Result<std::io::Result<()>, Reset> {
        let left = *self.left.lock().unwrap();
        let passes = left.map_or(piece.len(), |left| left.min(piece.len()));
        let slice = match *self.line.borrow() {
            Line::Sliced(bytes) => bytes,
            Line::Clear | Line::Slow { .. } | Line::BlackHole | Line::Refused => usize::MAX,
        };
        for slice in piece[..passes].chunks(slice.min(piece.len())) {
            if let Err(error) = near.write_all(slice).await {
                return Ok(Err(error));
            }
            if slice.len() < passes {
                // So that they are read one by one.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        self.shared.count(|done| done.answered += u64::try_from(passes).unwrap());
        if let Some(before) = left {
            *self.left.lock().unwrap() = Some(before - passes);
        }
        if passes < piece.len() { Err(Reset) } else { Ok(Ok(())) }
    }
}

async fn passable(line: &mut watch::Receiver<Line>) {
    let _we_hold_the_sender = line.wait_for(|line| *line != Line::BlackHole).await;
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}
