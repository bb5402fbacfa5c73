//! A bad line between a bot and a server that it talks to: slow, silent, refused, in small pieces, or cut in an answer.

use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

/// After an error of `accept` or `bind`, such as no file descriptor left.
const TRY_AGAIN: Duration = Duration::from_millis(100);

/// How the line is, for all connections, until it is set to something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// All bytes pass.
    Clear,
    /// Each piece of an answer takes `least` and up to `jitter` more.
    Slow {
        /// At least this long.
        least: Duration,
        /// Up to this much longer.
        jitter: Duration,
    },
    /// Answers come in pieces of so many bytes.
    Sliced(usize),
    /// Connections are accepted and no byte passes; the bytes arrive when the fault is over.
    BlackHole,
    /// Nothing listens, and all that was open is reset.
    Refused,
}

/// The counters of the proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Connections that it accepted.
    pub accepted: u64,
    /// Connections that it reset.
    pub reset: u64,
    /// Pieces that it held back for a while.
    pub delayed: u64,
    /// Bytes of answers that it let through.
    pub answered: u64,
}

#[derive(Clone, Debug)]
enum Far {
    /// A host and a port.
    Tcp(String),
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
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl FaultProxy {
    /// A proxy to a host and a port.
    ///
    /// # Errors
    /// No port is left to listen on.
    pub async fn to_tcp(far: impl ToString) -> std::io::Result<Self> {
        Self::start(Far::Tcp(far.to_string())).await
    }

    /// A proxy to a socket.
    ///
    /// # Errors
    /// No port is left to listen on.
    pub async fn to_unix(far: &Path) -> std::io::Result<Self> {
        Self::start(Far::Unix(far.to_owned())).await
    }

    async fn start(far: Far) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (line, open) = (watch::Sender::new(Line::Clear), watch::Sender::new(0));
        let (cut, done) = (Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { far, line, open, cut, done, seed: 20_261_121 });
        let task = tokio::spawn(accept_for_ever(listener, address, Arc::clone(&shared)));
        Ok(Self { address, shared, task })
    }

    /// Where the bot is to go instead.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How the line is now.
    #[must_use]
    pub fn line(&self) -> Line {
        *self.shared.line.borrow()
    }

    /// Changes the line, at once and also for the connections that are open.
    pub fn set(&self, line: Line) {
        self.shared.line.send_replace(line);
    }

    /// Resets all connections; new ones find the line clear.
    pub async fn interrupt(&self) {
        self.set(Line::Refused);
        let mut open = self.shared.open.subscribe();
        let _we_hold_the_sender = open.wait_for(|open| *open == 0).await;
        self.set(Line::Clear);
    }

    /// Lets `at` bytes of the answer to each of the next so many `requests` with this word in them through, and then
    /// resets its connection; with 0 the request is executed and its answer swallowed.
    pub fn cut(&self, requests: u64, word: &str, at: usize) {
        let word = word.to_owned();
        *lock(&self.shared.cut) = Some(Cut { spared: 0, requests, word, at });
    }

    /// The same to the `nth` request with this word in it, counted from 1.
    pub fn cut_nth(&self, nth: u64, word: &str, at: usize) {
        let word = word.to_owned();
        *lock(&self.shared.cut) = Some(Cut { spared: nth - 1, requests: 1, word, at });
    }

    /// Its counters.
    #[must_use]
    pub fn done(&self) -> Done {
        *lock(&self.shared.done)
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
            match TcpListener::bind(address).await {
                Ok(again) => listener = Some(again),
                Err(_) => {
                    sleep(TRY_AGAIN).await;
                    continue;
                }
            }
        }
        tokio::select! {
            _we_hold_the_sender = line.changed() => {}
            accepted = accept(listener.as_ref()) => {
                let Ok((near, _)) = accepted else {
                    sleep(TRY_AGAIN).await;
                    continue;
                };
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

/// The next connection; none while nothing listens.
async fn accept(listener: Option<&TcpListener>) -> std::io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => pending().await,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn count<T>(&self, change: impl FnOnce(&mut Done) -> T) -> T {
        change(&mut lock(&self.done))
    }

    /// Where the answer to this request is to be cut.
    fn strikes(&self, request: &[u8]) -> Option<usize> {
        let mut cut = lock(&self.cut);
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
                let request = piece.get(..length).unwrap_or_default();
                if let Some(at) = shared.strikes(request) {
                    *lock(&left) = Some(at);
                }
                if asked.write_all(request).await.is_err() {
                    return;
                }
            }
        };
        let answers = async {
            let mut piece = vec![0; 65_536];
            while let Ok(length @ 1..) = answering.read(&mut piece).await {
                self.wait().await;
                if self.give(&mut answered, piece.get(..length).unwrap_or_default()).await?.is_err() {
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
            sleep(least + jitter.mul_f64(self.rng.random())).await;
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
        let left = *lock(&self.left);
        let passes = left.map_or(piece.len(), |left| left.min(piece.len()));
        let slice = match *self.line.borrow() {
            Line::Sliced(bytes) => bytes,
            Line::Clear | Line::Slow { .. } | Line::BlackHole | Line::Refused => usize::MAX,
        };
        for slice in piece.get(..passes).unwrap_or_default().chunks(slice.min(piece.len())) {
            if let Err(error) = near.write_all(slice).await {
                return Ok(Err(error));
            }
            if slice.len() < passes {
                // So that they are read one by one.
                sleep(Duration::from_millis(1)).await;
            }
        }
        self.shared.count(|done| done.answered += passes as u64);
        if let Some(before) = left {
            *lock(&self.left) = Some(before - passes);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_refused_line_resets_all_that_is_open_and_is_clear_again_at_the_same_port() {
        let far = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let proxy = FaultProxy::to_tcp(far.local_addr().unwrap()).await.unwrap();
        let mut near = TcpStream::connect(proxy.address()).await.unwrap();
        near.write_all(b"ping").await.unwrap();
        let (mut there, _) = far.accept().await.unwrap();
        let mut word = [0; 4];
        there.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"ping");
        proxy.set(Line::Refused);
        assert!(near.read(&mut word).await.is_err(), "it is reset");
        assert!(TcpStream::connect(proxy.address()).await.is_err(), "it is refused");
        proxy.set(Line::Clear);
        let mut again = loop {
            if let Ok(again) = TcpStream::connect(proxy.address()).await {
                break again;
            }
        };
        again.write_all(b"pong").await.unwrap();
        let (mut there, _) = far.accept().await.unwrap();
        there.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"pong");
    }
}
