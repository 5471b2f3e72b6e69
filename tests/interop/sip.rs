//! The SIP side of peers that have none: a callee of a few lines over UDP (RFC 3261 sections 8.2 and 17.2). It
//! reads nothing but what it needs, and shares no code with the endpoint under test.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// A callee that waits for one call.
pub(crate) struct Callee {
    socket: UdpSocket,
}

/// The call that came in, to be answered.
pub(crate) struct IncomingCall {
    socket: UdpSocket,
    caller: SocketAddr,
    invite: String,
}

/// The call once it is up.
pub(crate) struct AnsweredCall {
    socket: UdpSocket,
    ok: String,
}

impl Callee {
    /// Waits on a free port of this address.
    pub(crate) fn new(address: &str) -> Self {
        let socket = UdpSocket::bind((address, 0)).expect("a loopback socket");
        Callee { socket }
    }

    /// The URI to call.
    pub(crate) fn uri(&self) -> String {
        format!("sip:peer@{}", self.socket.local_addr().expect("an address"))
    }

    /// Waits for the INVITE, and lets it ring.
    pub(crate) fn ring(self, timeout: Duration) -> IncomingCall {
        let (invite, caller) = receive(&self.socket, "INVITE", timeout, |_| None);
        let call = IncomingCall { socket: self.socket, caller, invite };
        call.respond("180 Ringing", None);
        call
    }
}

impl IncomingCall {
    /// The SDP of the INVITE.
    pub(crate) fn offer(&self) -> &str {
        self.invite.split_once("\r\n\r\n").expect("an end of the header").1
    }

    /// The lines of the offer that begin with this, cut to what follows.
    pub(crate) fn offered(&self, start: &str) -> Vec<&str> {
        self.offer().lines().filter_map(|line| line.strip_prefix(start)).collect()
    }

    /// Answers with this SDP, and waits for the ACK.
    pub(crate) fn accept(self, sdp: &str) -> AnsweredCall {
        let ok = self.respond("200 OK", Some(sdp));
        let again = |request: &str| request.starts_with("INVITE ").then(|| ok.clone());
        receive(&self.socket, "ACK", Duration::from_secs(30), again);
        AnsweredCall { socket: self.socket, ok }
    }

    fn respond(&self, status: &str, sdp: Option<&str>) -> String {
        let own = self.socket.local_addr().expect("an address");
        let body = sdp.unwrap_or_default();
        let typed = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let more =
            format!("Contact: <sip:peer@{own}>\r\n{typed}Content-Length: {}\r\n\r\n{body}", body.len());
        let response = response(&self.invite, status, &more);
        self.socket.send_to(response.as_bytes(), self.caller).expect("a response goes out");
        response
    }
}

impl AnsweredCall {
    /// Waits until the caller hangs up.
    pub(crate) fn wait_for_bye(self, timeout: Duration) {
        let again = |request: &str| request.starts_with("INVITE ").then(|| self.ok.clone());
        let (bye, caller) = receive(&self.socket, "BYE", timeout, again);
        let ok = response(&bye, "200 OK", "Content-Length: 0\r\n\r\n");
        self.socket.send_to(ok.as_bytes(), caller).expect("a response goes out");
    }
}

/// A response to a request: its Via, From, To with a tag, Call-ID and CSeq, and what `more` adds.
fn response(request: &str, status: &str, more: &str) -> String {
    let mut response = format!("SIP/2.0 {status}\r\n");
    let header = request.split_once("\r\n\r\n").expect("an end of the header").0;
    for line in header.lines() {
        let name = line.split(':').next().unwrap_or_default();
        if ["Via", "From", "To", "Call-ID", "CSeq"].contains(&name) {
            let tag = if name == "To" && !line.contains(";tag=") { ";tag=peer" } else { "" };
            response.push_str(&format!("{line}{tag}\r\n"));
        }
    }
    response + more
}

/// Waits for a request of this method. What `again` gives for another one is sent back.
fn receive(
    socket: &UdpSocket,
    method: &str,
    timeout: Duration,
    again: impl Fn(&str) -> Option<String>,
) -> (String, SocketAddr) {
    let deadline = Instant::now() + timeout;
    let mut buffer = [0; 65_536];
    loop {
        let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
        let left = left.unwrap_or_else(|| panic!("no {method} in {timeout:?}"));
        socket.set_read_timeout(Some(left)).expect("a time above zero");
        let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
        let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if request.starts_with(&format!("{method} ")) {
            return (request, from);
        }
        if let Some(answer) = again(&request) {
            socket.send_to(answer.as_bytes(), from).expect("a response goes out");
        }
    }
}
