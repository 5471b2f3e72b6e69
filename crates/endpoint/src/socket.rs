//! UDP sockets that tell the address a datagram was sent to and when the kernel received it.

use crate::clock::Clock;
use crate::fragments;
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use tokio::io::Interest;
use visavis_proto::Time;

/// The largest datagram, or train of datagrams joined by the kernel, that is read at once.
const BUFFER: usize = 65_536;
/// What the kernel may queue each way, octets: a burst of key frames must not be lost in it.
const KERNEL_BUFFER: usize = 4 * 1024 * 1024;

/// A bound UDP socket.
#[derive(Debug)]
pub(crate) struct Socket {
    io: tokio::net::UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
}

/// One datagram in a [`Batch`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received<'a> {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) received: Time,
    pub(crate) data: &'a [u8],
}

/// Room for what one system call can bring.
pub(crate) struct Batch {
    buffers: Vec<Vec<u8>>,
    metas: [RecvMeta; BATCH_SIZE],
    filled: usize,
}

impl Batch {
    pub(crate) fn new() -> Self {
        Batch {
            buffers: (0..BATCH_SIZE).map(|_| vec![0; BUFFER]).collect(),
            metas: [RecvMeta::default(); BATCH_SIZE],
            filled: 0,
        }
    }
}

impl Socket {
    /// Binds `address`; an IPv6 wildcard takes IPv4 too, as far as the system lets it.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, Some(socket2::Protocol::UDP))?;
        if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
            // Some systems refuse; the socket then takes IPv6 alone.
            let _ = socket.set_only_v6(false);
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        fragments::allow(&socket);
        // A smaller buffer than asked for is no error: the system caps it.
        let _ = socket.set_recv_buffer_size(KERNEL_BUFFER);
        let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
        let io = tokio::net::UdpSocket::from_std(socket.into())?;
        let local = io.local_addr()?;
        Ok(Socket { io, state, local })
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.io.readable().await
    }

    /// Reads what has arrived into `batch`; whether more may be waiting. `WouldBlock` when nothing has arrived.
    pub(crate) fn receive(&self, batch: &mut Batch) -> io::Result<bool> {
        batch.filled = 0;
        let mut slices: Vec<IoSliceMut<'_>> = batch.buffers.iter_mut().map(|b| IoSliceMut::new(b)).collect();
        let metas = &mut batch.metas;
        let mut filled = 0;
        let tried = self.io.try_io(Interest::READABLE, || {
            filled = self.state.recv(UdpSockRef::from(&self.io), &mut slices, metas)?;
            // recvmmsg stops short of a full batch when it has met EAGAIN: asking again would hear the same. On
            // other systems a batch may be one datagram.
            let drained = cfg!(target_os = "linux") && filled < BATCH_SIZE;
            if drained { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        batch.filled = filled;
        match tried {
            Err(error) if filled == 0 => Err(error),
            tried => Ok(tried.is_ok()),
        }
    }

    /// The datagrams of the last [`Socket::receive`], those that the kernel had joined apart again.
    pub(crate) fn datagrams<'a>(&'a self, batch: &'a Batch, now: Time) -> impl Iterator<Item = Received<'a>> {
        // Read once: what is done with one datagram must not make the next one look older.
        let read = (now, Clock::wall());
        let filled = batch.metas.iter().zip(&batch.buffers).take(batch.filled);
        filled.flat_map(move |(meta, buffer)| {
            let local = match meta.dst_ip {
                Some(ip) => SocketAddr::new(ip.to_canonical(), self.local.port()),
                None => self.local,
            };
            let remote = SocketAddr::new(meta.addr.ip().to_canonical(), meta.addr.port());
            let received = meta.timestamp.map_or(now, |unix| Clock::at_unix(unix, read));
            let data = &buffer[..meta.len.min(buffer.len())];
            data.chunks(meta.stride.max(1)).map(move |data| Received { local, remote, received, data })
        })
    }

    /// Sends one datagram, or a train of datagrams of `segment` octets each (the last may be shorter).
    pub(crate) fn send(
        &self,
        local: Option<IpAddr>,
        remote: SocketAddr,
        data: &[u8],
        segment: Option<usize>,
    ) -> io::Result<()> {
        let destination = match (self.local, remote.ip()) {
            (SocketAddr::V6(_), IpAddr::V4(v4)) => {
                SocketAddr::new(IpAddr::V6(v4.to_ipv6_mapped()), remote.port())
            }
            _ => remote,
        };
        let src_ip = local.filter(|_| self.local.ip().is_unspecified()).filter(|ip| !ip.is_unspecified());
        let transmit = Transmit { destination, ecn: None, contents: data, segment_size: segment, src_ip };
        // Not through tokio's readiness, which knows nothing of a socket's first moments.
        self.state.try_send(UdpSockRef::from(&self.io), &transmit)
    }

    /// How many datagrams of one size can go out in one train.
    pub(crate) fn train(&self) -> usize {
        self.state.max_gso_segments()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn receive_all(socket: &Socket, want: usize) -> Vec<(SocketAddr, SocketAddr, Vec<u8>)> {
        let (clock, mut batch, mut got) = (Clock::start(), Batch::new(), Vec::new());
        while got.len() < want {
            socket.readable().await.unwrap();
            if socket.receive(&mut batch).is_ok() {
                let now = clock.now();
                got.extend(socket.datagrams(&batch, now).map(|d| (d.local, d.remote, d.data.to_vec())));
            }
        }
        got
    }

    #[tokio::test]
    async fn a_wildcard_socket_knows_which_address_was_called_and_answers_from_it() {
        let server = Socket::bind("0.0.0.0:0".parse().unwrap()).unwrap();
        let client = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let target: SocketAddr = format!("127.0.0.9:{}", server.local().port()).parse().unwrap();
        client.send(None, target, b"hello", None).unwrap();
        let got = receive_all(&server, 1).await;
        assert_eq!(got[0], (target, client.local(), b"hello".to_vec()));
        server.send(Some(target.ip()), client.local(), b"back", None).unwrap();
        let back = receive_all(&client, 1).await;
        assert_eq!(back[0].1, target);
    }

    #[tokio::test]
    async fn a_train_arrives_as_the_datagrams_it_was_made_of() {
        let a = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let b = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        if a.train() < 3 {
            a.send(None, b.local(), b"only one at a time here", None).unwrap();
            return assert_eq!(receive_all(&b, 1).await.len(), 1);
        }
        a.send(None, b.local(), b"aaaabbbbcc", Some(4)).unwrap();
        let got: Vec<_> = receive_all(&b, 3).await.into_iter().map(|d| d.2).collect();
        assert_eq!(got, [b"aaaa".to_vec(), b"bbbb".to_vec(), b"cc".to_vec()]);
    }

    #[tokio::test]
    async fn a_dual_stack_wildcard_reports_ipv4_peers_as_ipv4() {
        let server = Socket::bind("[::]:0".parse().unwrap()).unwrap();
        let client = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let target = SocketAddr::new("127.0.0.1".parse().unwrap(), server.local().port());
        client.send(None, target, b"x", None).unwrap();
        let got = receive_all(&server, 1).await;
        assert_eq!((got[0].0, got[0].1), (target, client.local()));
        server.send(Some(target.ip()), client.local(), b"y", None).unwrap();
        assert_eq!(receive_all(&client, 1).await[0].1, target);
    }
}
