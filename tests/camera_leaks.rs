//! What a camera that keeps failing may cost: nothing. Alone in its process, so that counts count.

#[path = "support/camera.rs"]
mod support;

use std::time::Duration;

use serde_json::json;
use support::{Rig, descriptors, threads};
use vigia::clock;
use vigia_sim::{Camera, Mode, RtspServer, TcpProxy};

#[test]
fn many_drops_leave_nothing_behind() {
    let server = RtspServer::start().expect("server");
    let mount = server.add("/live/0", Camera::pattern(320, 240, 15)).expect("mount");
    let proxy = TcpProxy::start(server.address()).expect("proxy");
    let rig = Rig::with(json!({ "source_id": 1, "uri": proxy.url_via(mount.url()), "max_fps": 100 }));
    rig.back();
    let drop_once = || {
        proxy.set_mode(Mode::Reset).expect("mode");
        proxy.set_mode(Mode::Forward).expect("mode");
        rig.back_after(clock::now().after(Duration::from_millis(300)));
    };
    (0..3).for_each(|_| drop_once());
    let before = (threads(), descriptors());
    (0..15).for_each(|_| drop_once());
    // The server shares this process and frees a connection when it gets to it.
    let until = clock::now().after(Duration::from_secs(20));
    loop {
        let after = (threads(), descriptors());
        if after.0 <= before.0 + 3 && after.1 <= before.1 + 6 {
            break;
        }
        assert!(clock::now() < until, "{before:?} -> {after:?}");
        rig.frame(Duration::from_millis(50));
    }
    assert!(rig.reconnections() >= 18);
}
