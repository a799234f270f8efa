//! A network that breaks on demand: a TCP proxy on loopback.
//!
//! One thread accepts, two carry each connection. A [`Mode`] holds for all connections, old and
//! new, from the moment [`TcpProxy::set_mode`] returns; only what a thread has already handed to
//! the kernel goes out as before.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{
    SimError,
    pump::{self, Link},
};

/// More connections at a time are reset at once.
const OPEN_MAX: usize = 1024;
/// How long to leave `accept` alone after it failed (no file descriptors left, usually).
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// What the network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Carries everything.
    Forward,
    /// Accepts, but reads and carries nothing: what was sent meanwhile arrives afterwards.
    Stall,
    /// Accepts, reads and swallows, both ways: what was sent meanwhile is lost.
    Silent,
    /// Doesn't listen. Connections that are open stay open; `Reset` ends those.
    Refuse,
    /// Resets the connections that are open, and each new one once it is accepted.
    Reset,
    /// Flips bytes on the way to the client, after its first `after` bytes.
    Garbage { after: u64 },
    /// Carries everything late by this much, both ways.
    Delay(Duration),
}

/// What went through a proxy so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    pub accepted: u64,
    /// Connections that are open now.
    pub open: usize,
    pub to_server_bytes: u64,
    pub to_client_bytes: u64,
}

/// A listening proxy. Dropping it ends its connections and waits for its threads.
#[derive(Debug)]
pub struct TcpProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<thread::JoinHandle<()>>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    server: SocketAddr,
    state: Mutex<State>,
    /// Something in `state` is different.
    changed: Condvar,
    accepted: AtomicU64,
    pub(crate) to_server_bytes: AtomicU64,
    pub(crate) to_client_bytes: AtomicU64,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) mode: Mode,
    is_stopping: bool,
    is_listening: bool,
    /// A listener on its way to the acceptor.
    fresh: Option<TcpListener>,
    links: HashMap<u64, Arc<Link>>,
}

impl TcpProxy {
    /// Listens on a free port of 127.0.0.1 and carries to `server`, which need not be there yet.
    pub fn start(server: SocketAddr) -> Result<Self, SimError> {
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let refuse = |source| SimError::Listen { address: wanted, source };
        let listener = TcpListener::bind(wanted).map_err(refuse)?;
        let address = listener.local_addr().map_err(refuse)?;
        let state = State {
            mode: Mode::Forward,
            is_stopping: false,
            is_listening: true,
            fresh: Some(listener),
            links: HashMap::new(),
        };
        let shared = Arc::new(Shared {
            server,
            state: Mutex::new(state),
            changed: Condvar::new(),
            accepted: AtomicU64::new(0),
            to_server_bytes: AtomicU64::new(0),
            to_client_bytes: AtomicU64::new(0),
        });
        let its = Arc::clone(&shared);
        let acceptor = thread::Builder::new().name("sim-proxy".to_owned()).spawn(move || accept(&its));
        Ok(Self { address, shared, acceptor: Some(acceptor.map_err(SimError::Thread)?) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same URL by way of this proxy: `rtsp://user@host:port/x` becomes `rtsp://user@here/x`.
    pub fn url_via(&self, url: &str) -> String {
        let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let login = authority.rfind('@').map_or("", |at| &authority[..=at]);
        format!("{scheme}://{login}{}{path}", self.address)
    }

    /// Breaks or heals the network. Fails if someone took the port while it was refused.
    pub fn set_mode(&self, mode: Mode) -> Result<(), SimError> {
        let mut state = self.shared.lock();
        if mode != Mode::Refuse && !state.is_listening {
            let address = self.address;
            let listener =
                TcpListener::bind(address).map_err(|source| SimError::Listen { address, source })?;
            state.fresh = Some(listener);
            state.is_listening = true;
        }
        state.mode = mode;
        if mode == Mode::Reset {
            state.links.values().for_each(|link| link.reset());
        }
        self.shared.changed.notify_all();
        if mode == Mode::Refuse && state.is_listening {
            drop(state);
            poke(self.address);
            let state = self.shared.lock();
            drop(self.shared.wait_while(state, |s| s.is_listening && s.mode == Mode::Refuse));
        }
        Ok(())
    }

    pub fn counters(&self) -> Counters {
        Counters {
            accepted: self.shared.accepted.load(Ordering::Relaxed),
            open: self.shared.lock().links.len(),
            to_server_bytes: self.shared.to_server_bytes.load(Ordering::Relaxed),
            to_client_bytes: self.shared.to_client_bytes.load(Ordering::Relaxed),
        }
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            state.is_stopping = true;
            state.links.values().for_each(|link| link.cut());
            self.shared.changed.notify_all();
        }
        poke(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            // A panic there was printed there.
            acceptor.join().ok();
        }
        let state = self.shared.lock();
        drop(self.shared.wait_while(state, |s| !s.links.is_empty()));
    }
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while<'a>(
        &self,
        state: MutexGuard<'a, State>,
        condition: impl FnMut(&mut State) -> bool,
    ) -> MutexGuard<'a, State> {
        self.changed.wait_while(state, condition).unwrap_or_else(PoisonError::into_inner)
    }

    /// The mode, once it is one that carries data; nothing if the link has ended before.
    pub(crate) fn mode_after_stall(&self, link: &Link) -> Option<Mode> {
        let state = self.wait_while(self.lock(), |s| s.mode == Mode::Stall && !link.is_cut());
        (!link.is_cut()).then_some(state.mode)
    }

    /// Ends a link and tells those who wait on its behalf.
    pub(crate) fn cut(&self, link: &Link) {
        let state = self.lock();
        link.cut();
        drop(state);
        self.changed.notify_all();
    }

    /// Waits for a change of any kind, at most this long.
    pub(crate) fn wait(&self, at_most: Duration) {
        drop(self.changed.wait_timeout(self.lock(), at_most).unwrap_or_else(PoisonError::into_inner));
    }

    /// A connection to the server. While the network is stalled or silent a server that isn't
    /// there goes unnoticed.
    fn reach_server(&self, link: &Link) -> Option<TcpStream> {
        loop {
            if let Ok(server) = TcpStream::connect(self.server) {
                return Some(server);
            }
            let dead = |mode| matches!(mode, Mode::Stall | Mode::Silent);
            let state = self.lock();
            if link.is_cut() || !dead(state.mode) {
                return None;
            }
            drop(self.wait_while(state, |s| dead(s.mode) && !link.is_cut()));
        }
    }
}

/// Wakes the acceptor, which then looks at the state.
fn poke(address: SocketAddr) {
    // If nobody listens there is nobody to wake.
    TcpStream::connect(address).ok();
}

fn accept(shared: &Arc<Shared>) {
    let mut listener = None;
    let mut next_id = 0;
    loop {
        let mut state = shared.lock();
        if state.mode == Mode::Refuse && !state.is_stopping {
            listener = None;
            state.fresh = None;
            state.is_listening = false;
            shared.changed.notify_all();
            state = shared.wait_while(state, |s| s.fresh.is_none() && !s.is_stopping);
        }
        if state.is_stopping {
            return;
        }
        listener = state.fresh.take().or(listener);
        drop(state);
        match listener.as_ref().map(TcpListener::accept) {
            Some(Ok((client, _))) => admit(shared, client, next_id),
            Some(Err(_)) | None => shared.wait(ACCEPT_RETRY),
        }
        next_id += 1;
    }
}

/// Gives a new connection its threads, or what the mode has for it.
fn admit(shared: &Arc<Shared>, client: TcpStream, id: u64) {
    let mut state = shared.lock();
    if state.is_stopping || state.mode == Mode::Refuse {
        return;
    }
    shared.accepted.fetch_add(1, Ordering::Relaxed);
    let link = Arc::new(Link::new(client));
    if state.mode == Mode::Reset || state.links.len() >= OPEN_MAX {
        link.reset();
        return;
    }
    state.links.insert(id, Arc::clone(&link));
    drop(state);
    let its = Arc::clone(shared);
    let carry = move || {
        if let Some(server) = its.reach_server(&link) {
            pump::carry(&its, &link, server);
        }
        // Closed before it is counted out: whoever waits for the count may rely on it.
        its.lock().links.remove(&id);
        drop(link);
        its.changed.notify_all();
    };
    if thread::Builder::new().name("sim-link".to_owned()).spawn(carry).is_err() {
        shared.lock().links.remove(&id);
    }
}
