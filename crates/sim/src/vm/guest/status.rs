//! What `vigia-pump` says at its socket, asked once: a line for each name and value.

use std::io;
use std::path::Path;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv, send,
    socket_with,
};
use vigia_core::link::{BootId, FRAME_BYTES, Frame, FromPump, Sequence, Status, ToPump};

/// # Errors
/// Nobody listens, somebody else is there already, or it says nothing sensible.
pub fn ask(path: &Path) -> io::Result<String> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    let hello = Frame { boot: BootId::default(), seq: Sequence::default().next(), body: ToPump::Hello };
    send(&socket, &hello.encode(), SendFlags::NOSIGNAL)?;
    loop {
        let mut bytes = [0; FRAME_BYTES + 1];
        let (len, _) = recv(&socket, &mut bytes, RecvFlags::empty())?;
        if len == 0 {
            return Err(io::Error::other("it hung up"));
        }
        let frame = Frame::<FromPump>::decode(bytes.get(..len).unwrap_or_default());
        match frame.map_err(io::Error::other)?.body {
            FromPump::Status(status) => return Ok(text(&status)),
            FromPump::Refused(why) => return Err(io::Error::other(format!("it refuses: {why:?}"))),
            FromPump::Welcome(_) | FromPump::Event(_) | FromPump::DemandAck(_) | FromPump::CommandAck(_) => {}
        }
    }
}

fn text(status: &Status) -> String {
    let Status { now, ledger, runs, late_us_p999, late_us_max, late_cycles, cycles, .. } = *status;
    format!(
        "state {:?}\nrefill_owed_ms {}\ntotal_runtime_ms {}\nledger {ledger:?}\nruns {runs}\n\
         late_us_p999 {late_us_p999}\nlate_us_max {late_us_max}\nlate_cycles {late_cycles}\ncycles {cycles}\n\
         memory_locked {}\nrealtime {}",
        now.state,
        now.refill_owed.as_millis(),
        now.total_runtime.as_millis(),
        status.memory_locked,
        status.realtime
    )
}
