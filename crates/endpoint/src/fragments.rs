//! Whether the system may cut datagrams that are larger than the path takes: path MTU discovery, socket by socket.

use std::io;

#[cfg(target_os = "linux")]
mod system {
    use rustix::io::Errno;
    use rustix::net::sockopt::{self, Ipv4PathMtuDiscovery as Four, Ipv6PathMtuDiscovery as Six};
    use std::io;
    use std::os::fd::AsFd;

    fn set(socket: impl AsFd, four: Four, six: Six) -> io::Result<()> {
        // A socket has one family, or both; the other option it does not know.
        let (four, six) =
            (sockopt::set_ip_mtu_discover(&socket, four), sockopt::set_ipv6_mtu_discover(&socket, six));
        four.or(six).map_err(io::Error::from)
    }

    pub(crate) fn allow(socket: impl AsFd) -> io::Result<()> {
        set(socket, Four::WANT, Six::WANT)
    }

    pub(crate) fn forbid(socket: impl AsFd) -> io::Result<()> {
        set(socket, Four::PROBE, Six::PROBE)
    }

    pub(crate) fn path_mtu(socket: impl AsFd) -> Option<usize> {
        let known = sockopt::ip_mtu(&socket).or_else(|_| sockopt::ipv6_mtu(&socket));
        usize::try_from(known.ok()?).ok()
    }

    pub(crate) fn is_too_large(error: &io::Error) -> bool {
        Errno::from_io_error(error) == Some(Errno::MSGSIZE)
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;

    pub(crate) fn allow<T>(_: T) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn forbid<T>(_: T) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn path_mtu<T>(_: T) -> Option<usize> {
        None
    }

    pub(crate) fn is_too_large(_: &io::Error) -> bool {
        false
    }
}

pub(crate) use system::{forbid, is_too_large, path_mtu};

/// Lets the system cut a datagram that is larger than the path takes: media keep below that, but a SIP message may
/// have to go out as it is.
pub(crate) fn allow(socket: &socket2::Socket) {
    let allowed: io::Result<()> = system::allow(socket);
    if let Err(error) = allowed {
        tracing::debug!(%error, "datagrams larger than the path takes will not be sent");
    }
}
