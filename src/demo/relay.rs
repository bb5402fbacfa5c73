//! The way from the bot to Redis: a relay that can be closed, so that Redis is gone without touching it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

/// After an error of `accept`, such as no file descriptor left.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// A relay; it ends with its connections when this is dropped.
#[derive(Debug)]
pub(super) struct Relay {
    /// Where it listens.
    pub(super) address: SocketAddr,
    is_open: Arc<watch::Sender<bool>>,
    task: JoinHandle<()>,
}

impl Relay {
    /// A relay to `far`, a host and a port; it is open.
    ///
    /// # Errors
    /// No port is left.
    pub(super) async fn start(far: String) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let is_open = Arc::new(watch::Sender::new(true));
        let task = tokio::spawn(accept_for_ever(listener, far, Arc::clone(&is_open)));
        Ok(Self { address, is_open, task })
    }

    /// Opens or closes it: closed, it resets what is open and whatever comes.
    pub(super) fn set(&self, open: bool) {
        self.is_open.send_replace(open);
    }

    /// Whether it is open.
    pub(super) fn is_open(&self) -> bool {
        *self.is_open.borrow()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept_for_ever(listener: TcpListener, far: String, is_open: Arc<watch::Sender<bool>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((near, _)) => {
                    connections.spawn(carry(near, far.clone(), is_open.subscribe()));
                }
                Err(_) => sleep(ACCEPT_AGAIN).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection, until either side ends it or the relay is closed.
async fn carry(mut near: TcpStream, far: String, mut is_open: watch::Receiver<bool>) {
    // To the bot the end of a connection looks like a server that is gone, not like one that says good-bye.
    let _important = near.set_zero_linger();
    let carried = async {
        let mut far = TcpStream::connect(&far).await?;
        let _unimportant = near.set_nodelay(true).and_then(|()| far.set_nodelay(true));
        copy_bidirectional(&mut near, &mut far).await
    };
    tokio::select! {
        biased;
        _closed = is_open.wait_for(|open| !open) => {}
        _ended = carried => {}
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_closed_relay_resets_what_is_open_and_whatever_comes() {
        let far = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let relay = Relay::start(far.local_addr().unwrap().to_string()).await.unwrap();
        let mut near = TcpStream::connect(relay.address).await.unwrap();
        near.write_all(b"ping").await.unwrap();
        let (mut there, _) = far.accept().await.unwrap();
        let mut word = [0; 4];
        there.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"ping");
        relay.set(false);
        assert!(near.read(&mut word).await.is_err(), "it is reset");
        let mut late = TcpStream::connect(relay.address).await.unwrap();
        assert!(late.read(&mut word).await.is_err(), "it is reset");
        relay.set(true);
        let mut again = TcpStream::connect(relay.address).await.unwrap();
        again.write_all(b"pong").await.unwrap();
        let (mut there, _) = far.accept().await.unwrap();
        there.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"pong");
    }
}
