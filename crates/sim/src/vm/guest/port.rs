//! The serial port to the host, and the word to systemd.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rustix::thread::{Timespec, nanosleep};

use super::{AgentError, Word, lock};

/// As the machine names it.
pub const NAME: &str = "vigia.lines";
const PORTS: &str = "/sys/class/virtio-ports";

/// Written by all threads, a whole line at a time; read by one.
#[derive(Debug)]
pub struct Port {
    from_host: File,
    to_host: Mutex<File>,
}

impl Port {
    /// # Errors
    /// The machine has no such port, or somebody else holds it.
    pub fn open() -> Result<Self, AgentError> {
        let path = find()?;
        let file = OpenOptions::new().read(true).write(true).open(&path);
        let mut from_host = file.map_err(AgentError::at("can't open", &path))?;
        // Ends what the guest's former life may have begun.
        from_host.write_all(b"\n").map_err(AgentError::at("can't write", &path))?;
        let to_host = from_host.try_clone().map_err(AgentError::at("can't share", &path))?;
        Ok(Self { from_host, to_host: Mutex::new(to_host) })
    }

    /// A host that does not listen holds up whoever speaks: it is the only one who asks.
    pub fn say(&self, word: &Word) {
        let line = format!("{word}\n");
        if let Err(e) = lock(&self.to_host).write_all(line.as_bytes()) {
            eprintln!("vigia-lines: the host can't be told: {e}");
        }
    }

    /// Reads for ever. Without a host there is nothing to read, and it looks again.
    ///
    /// # Errors
    /// The port is broken.
    pub fn read(&self, mut take: impl FnMut(&[u8])) -> Result<(), AgentError> {
        let mut bytes = [0; 4096];
        loop {
            match (&self.from_host).read(&mut bytes) {
                Ok(0) => rest_ms(100),
                Ok(len) => take(&bytes[..len]),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(AgentError::at("can't read", Path::new(NAME))(e)),
            }
        }
    }
}

/// udev has a link to it, later; the kernel's own folder has it from the start.
fn find() -> Result<PathBuf, AgentError> {
    let ports = fs::read_dir(PORTS).map_err(AgentError::at("can't read", Path::new(PORTS)))?;
    let is = |port: &Path| fs::read_to_string(port.join("name")).is_ok_and(|name| name.trim() == NAME);
    let found = ports.flatten().map(|e| e.path()).find(|port| is(port));
    let device = found.and_then(|port| Some(Path::new("/dev").join(port.file_name()?)));
    device.ok_or(AgentError::NoPort(NAME))
}

/// Those who wait for the lines may start. Not under systemd there is nobody to tell.
pub fn tell_systemd() {
    let Some(address) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let told = UnixDatagram::unbound().and_then(|socket| socket.send_to(b"READY=1", &address));
    if let Err(e) = told {
        eprintln!("vigia-lines: systemd can't be told: {e}");
    }
}

pub fn rest_ms(ms: u32) {
    let ns = i64::from(ms) * 1_000_000;
    let span = Timespec { tv_sec: ns / 1_000_000_000, tv_nsec: ns % 1_000_000_000 };
    // Woken early it only looks early.
    let _ = nanosleep(&span);
}
