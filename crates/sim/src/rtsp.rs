//! An RTSP server on loopback whose cameras come, go and fail when told.
//!
//! Everything the server does happens in one thread with its own main context: requests are
//! answered one after the other, and closing a connection can't race with serving it. Streams are
//! shared: the first client starts one, later ones join wherever it is, the last one ends it.

use std::{
    collections::HashMap,
    fmt, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Mutex, MutexGuard, PoisonError, mpsc},
    thread,
};

use gst_rtsp::RTSPAuthMethod;
use gst_rtsp_server::{
    RTSPAuth, RTSPClient, RTSPFilterResult, RTSPMediaFactory, RTSPServer, RTSPToken, gio, glib, prelude::*,
};

use crate::{Camera, Mount, SimError, camera::Login};

/// The role of a client that has not said who it is.
const ANYONE: &str = "anyone";
/// Turns of the context that a stopping server grants to what its clients left there.
const LAST_TURNS_MAX: u32 = 1000;

/// A running server. Dropping it closes every connection and waits for its thread.
pub struct RtspServer {
    server: RTSPServer,
    auth: RTSPAuth,
    address: SocketAddr,
    certificate_pem: Option<String>,
    mounts: Mutex<Mounts>,
    context: glib::MainContext,
    main_loop: glib::MainLoop,
    source: glib::SourceId,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Mounts {
    by_path: HashMap<String, Entry>,
    /// User name to password and the role that the password opens.
    logins: HashMap<String, (String, String)>,
}

struct Entry {
    factory: RTSPMediaFactory,
    /// Who may watch; everybody if none.
    role: Option<String>,
}

impl RtspServer {
    /// Serves on a free port of 127.0.0.1.
    pub fn start() -> Result<Self, SimError> {
        Self::start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// Serves on this address; port 0 takes a free one. A server that was dropped can be started
    /// again on the port it had.
    pub fn start_on(address: SocketAddr) -> Result<Self, SimError> {
        Self::start_with(address, false)
    }

    /// The same over TLS (`rtsps://`), with a certificate that nobody but itself has signed.
    pub fn start_tls(address: SocketAddr) -> Result<Self, SimError> {
        Self::start_with(address, true)
    }

    fn start_with(address: SocketAddr, tls: bool) -> Result<Self, SimError> {
        gst::init().map_err(SimError::Init)?;
        // GStreamer only logs why it can't listen; this says it.
        TcpListener::bind(address).map_err(|source| SimError::Listen { address, source })?;
        let refuse = |what: &str| SimError::Serve { address, what: what.to_owned() };
        let server = RTSPServer::new();
        server.set_address(&address.ip().to_string());
        server.set_service(&address.port().to_string());
        // Clients are served by the context's own thread, see above.
        server.thread_pool().ok_or_else(|| refuse("there is no thread pool"))?.set_max_threads(0);
        let auth = new_auth();
        server.set_auth(Some(&auth));
        let certificate_pem = if tls { Some(certify(&auth)?) } else { None };
        let context = glib::MainContext::new();
        let source = server.attach(Some(&context)).map_err(|e| refuse(&e.message))?;
        let port = u16::try_from(server.bound_port()).map_err(|_| refuse("no port is bound"))?;
        let (main_loop, thread) = run_loop(&context).map_err(SimError::Thread)?;
        Ok(Self {
            server,
            auth,
            address: SocketAddr::new(address.ip(), port),
            certificate_pem,
            mounts: Mutex::default(),
            context,
            main_loop,
            source,
            thread: Some(thread),
        })
    }

    /// Where it listens, with the port it really has.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate, for clients that check it; none without TLS.
    pub fn certificate_pem(&self) -> Option<&str> {
        self.certificate_pem.as_deref()
    }

    /// The URL of a mount, whether a camera is there or not.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.certificate_pem.is_some() { "rtsps" } else { "rtsp" };
        format!("{scheme}://{}{path}", self.address)
    }

    /// How many clients are connected at the moment.
    pub fn client_count(&self) -> usize {
        self.server.client_filter(None).len()
    }

    /// Puts a camera at `path`. A clip is read here, so that what is wrong with it is said here.
    pub fn add(&self, path: &str, camera: Camera) -> Result<Mount, SimError> {
        let is_good = path.starts_with('/') && !path.ends_with('/') && !path.contains(char::is_whitespace);
        if !is_good {
            return Err(SimError::BadMount { mount: path.to_owned() });
        }
        let mount = Mount::new(path, self.url(path), camera)?;
        let mut mounts = self.mounts();
        if mounts.by_path.contains_key(path) {
            return Err(SimError::MountTaken { mount: path.to_owned() });
        }
        let role = match mount.login() {
            Some(login) => Some(self.role_of(login, &mut mounts)?),
            None => None,
        };
        let entry = Entry { factory: mount.factory(), role };
        entry.admit(ANYONE);
        mounts.logins.values().for_each(|(_, role)| entry.admit(role));
        self.points()?.add_factory(path, entry.factory.clone());
        mounts.by_path.insert(path.to_owned(), entry);
        Ok(mount)
    }

    /// Takes a camera away and closes the connections that watch it.
    pub fn remove(&self, path: &str) -> Result<(), SimError> {
        let mut mounts = self.mounts();
        if mounts.by_path.remove(path).is_none() {
            return Err(SimError::NoMount { mount: path.to_owned() });
        }
        self.points()?.remove_factory(path);
        let path = path.to_owned();
        self.in_context(move |server| close_clients(server, |client| watches(client, &path)));
        Ok(())
    }

    /// Closes every connection, as a camera does that restarts its RTSP service.
    pub fn disconnect_all(&self) {
        self.in_context(|server| close_clients(server, |_| true));
    }

    /// Asks for digest instead of basic logins from now on. Those who know a password get in
    /// either way; GStreamer's server can announce only one.
    pub fn ask_for_digest(&self) {
        self.auth.set_supported_methods(RTSPAuthMethod::Digest);
    }

    fn mounts(&self) -> MutexGuard<'_, Mounts> {
        self.mounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn points(&self) -> Result<gst_rtsp_server::RTSPMountPoints, SimError> {
        let what = || SimError::Serve { address: self.address, what: "there are no mount points".to_owned() };
        self.server.mount_points().ok_or_else(what)
    }

    /// The role that this login opens; a user has one password per server.
    fn role_of(&self, login: &Login, mounts: &mut Mounts) -> Result<String, SimError> {
        let Login { user, password } = login;
        if let Some((known, role)) = mounts.logins.get(user) {
            return match known == password {
                true => Ok(role.clone()),
                false => Err(SimError::LoginTaken { user: user.clone() }),
            };
        }
        let role = format!("login{}", mounts.logins.len());
        let token = token(&role);
        let basic = RTSPAuth::make_basic(user, password);
        self.auth.add_basic(&basic, &token);
        self.auth.add_digest(user, password, &token);
        mounts.logins.insert(user.clone(), (password.clone(), role.clone()));
        mounts.by_path.values().for_each(|entry| entry.admit(&role));
        Ok(role)
    }

    /// Runs `f` in the server's thread and waits for it.
    fn in_context(&self, f: impl FnOnce(&RTSPServer) + Send + 'static) {
        let (done, is_done) = mpsc::channel();
        let server = self.server.clone();
        self.context.invoke(move || {
            f(&server);
            // The one who waits can't go away before.
            done.send(()).ok();
        });
        // An error means that the context is gone and the closure with it: nothing left to do.
        is_done.recv().ok();
    }
}

impl Drop for RtspServer {
    fn drop(&mut self) {
        if let Some(source) = self.context.find_source_by_id(&self.source) {
            source.destroy();
        }
        self.in_context(|server| {
            close_clients(server, |_| true);
            if let Some(pool) = server.session_pool() {
                pool.filter(Some(&mut |_, _| RTSPFilterResult::Remove));
            }
        });
        self.main_loop.quit();
        if let Some(thread) = self.thread.take() {
            // A panic there was printed there.
            thread.join().ok();
        }
        let mut turns = 0;
        while turns < LAST_TURNS_MAX && self.context.iteration(false) {
            turns += 1;
        }
    }
}

impl Entry {
    /// Tells the factory whether clients with this role may watch. Refused access would be a 404;
    /// it is refused construction that gives the 401 wanted here.
    fn admit(&self, role: &str) {
        let may_watch = self.role.as_deref().is_none_or(|wanted| wanted == role);
        let permission = gst::Structure::builder(role)
            .field("media.factory.access", true)
            .field("media.factory.construct", may_watch)
            .build();
        self.factory.add_role_from_structure(&permission);
    }
}

impl fmt::Debug for RtspServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RtspServer").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Runs a loop in a thread of its own; it runs when this returns, so that it can be told to quit.
fn run_loop(context: &glib::MainContext) -> io::Result<(glib::MainLoop, thread::JoinHandle<()>)> {
    let main_loop = glib::MainLoop::new(Some(context), false);
    let (runs, is_running) = mpsc::channel();
    let say = move || {
        // Nobody waits for it only if the thread below didn't start.
        runs.send(()).ok();
        glib::ControlFlow::Break
    };
    glib::idle_source_new(None, glib::Priority::DEFAULT, say).attach(Some(context));
    let (its_context, its_loop) = (context.clone(), main_loop.clone());
    let serve = move || {
        // Fails only if another thread owns this context, and it was made just now.
        its_context.with_thread_default(|| its_loop.run()).ok();
    };
    let thread = thread::Builder::new().name("sim-rtsp".to_owned()).spawn(serve)?;
    // The sender lives in the context, which lives: this ends with a message.
    is_running.recv().ok();
    Ok((main_loop, thread))
}

/// Logins are added with their cameras; until then everybody is anyone. Wrong passwords leave
/// the client anyone too, so that only the mounts with a login refuse it.
fn new_auth() -> RTSPAuth {
    let auth = RTSPAuth::new();
    auth.set_supported_methods(RTSPAuthMethod::Basic);
    auth.set_default_token(Some(&mut token(ANYONE)));
    auth
}

fn token(role: &str) -> RTSPToken {
    RTSPToken::builder().field("media.factory.role", role).build()
}

/// Makes the server speak TLS with a fresh certificate, and returns it.
fn certify(auth: &RTSPAuth) -> Result<String, SimError> {
    let names = ["localhost".to_owned(), Ipv4Addr::LOCALHOST.to_string()];
    let made = rcgen::generate_simple_self_signed(names);
    let made = made.map_err(|e| SimError::Tls { what: e.to_string() })?;
    let pem = made.cert.pem();
    let both = format!("{pem}{}", made.signing_key.serialize_pem());
    let certificate = gio::TlsCertificate::from_pem(&both);
    let certificate = certificate.map_err(|e| SimError::Tls { what: e.to_string() })?;
    auth.set_tls_certificate(Some(&certificate));
    Ok(pem)
}

/// Closes the connections of the clients that `is_meant` picks. Call it in the server's thread.
fn close_clients(server: &RTSPServer, is_meant: impl Fn(&RTSPClient) -> bool) {
    server.client_filter(Some(&mut |_, client| match is_meant(client) {
        true => RTSPFilterResult::Remove,
        false => RTSPFilterResult::Keep,
    }));
}

/// Whether a client has a session on exactly this mount (a prefix of it would match, too).
fn watches(client: &RTSPClient, path: &str) -> bool {
    let mut found = false;
    client.session_filter(Some(&mut |_, session| {
        session.filter(Some(&mut |_, media| {
            found |= media.matches(path).and_then(|n| usize::try_from(n).ok()) == Some(path.len());
            RTSPFilterResult::Keep
        }));
        RTSPFilterResult::Keep
    }));
    found
}
