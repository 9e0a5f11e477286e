//! A link's way to the relay, which can be cut at any byte.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Forwards every connection to one address.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<State>,
    listening: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes forwarded so far, in both directions of all connections.
    passed: watch::Sender<u64>,
    /// All connections are cut once so many bytes have passed.
    cut_at: watch::Sender<Option<u64>>,
    /// How often they were.
    cuts: watch::Sender<u64>,
}

impl Proxy {
    /// Listens on a free port.
    ///
    /// # Panics
    /// When there is none.
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State::default());
        let listening = tokio::spawn(listen(listener, target, Arc::clone(&state)));
        Self { address, state, listening }
    }

    /// Awaits that this many more bytes have passed.
    pub async fn passes(&self, bytes: u64) {
        let mut passed = self.state.passed.subscribe();
        let enough = passed.borrow().saturating_add(bytes);
        // The sender is `self`'s.
        let _ = passed.wait_for(|passed| *passed >= enough).await;
    }

    /// Cuts all connections after this many more bytes, be that in the middle of a frame, and awaits it.
    pub async fn cut_after(&self, bytes: u64) {
        let mut cuts = self.state.cuts.subscribe();
        let at = self.state.passed.borrow().saturating_add(bytes);
        self.state.cut_at.send_replace(Some(at));
        let _ = cuts.changed().await;
    }

    /// Cuts all connections now.
    pub fn cut(&self) {
        self.state.cut();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
        self.state.cut();
    }
}

impl State {
    fn cut(&self) {
        self.cut_at.send_replace(None);
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// How many of these bytes may still pass; counts them.
    fn passes(&self, length: usize) -> usize {
        let limit = *self.cut_at.borrow();
        let mut takes = length;
        self.passed.send_modify(|passed| {
            if let Some(limit) = limit {
                let left = limit.saturating_sub(*passed);
                takes = usize::try_from(left).map_or(length, |left| left.min(length));
            }
            *passed += takes as u64;
        });
        takes
    }
}

async fn listen(listener: TcpListener, target: SocketAddr, state: Arc<State>) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(connection(client, target, Arc::clone(&state)));
    }
}

/// Both directions, until one ends or both are cut.
async fn connection(client: TcpStream, target: SocketAddr, state: Arc<State>) {
    let mut cuts = state.cuts.subscribe();
    let Ok(server) = TcpStream::connect(target).await else { return };
    for stream in [&client, &server] {
        let _ = stream.set_nodelay(true);
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = pump(from_client, to_server, &state) => {}
        () = pump(from_server, to_client, &state) => {}
        _ = cuts.changed() => {}
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &State) {
    let mut bytes = [0; 8192];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        let passes = state.passes(length);
        if to.write_all(&bytes[..passes]).await.is_err() {
            return;
        }
        if passes < length {
            return state.cut();
        }
    }
}
