//! What the tests of SDP share: descriptions laid out as known peers lay them out, and both ends of a call.

// Each test binary uses a part of it.
#![allow(dead_code)]

use visavis_proto::io::MediaChoice;
use visavis_proto::limits::Limits;
use visavis_proto::sdp::{Capabilities, LocalMedia, LocalStream, OfferAnswer, SessionDescription};

/// baresip 1.0: packetization mode 0 first, feedback lines in RTP/AVP, RTCP on the next port.
pub(crate) const BARESIP: &str = "v=0
o=- 3217383842 1655287843 IN IP4 127.0.0.77
s=-
c=IN IP4 127.0.0.77
t=0 0
a=tool:baresip 1.0.0
m=audio 18234 RTP/AVP 96 0 8 101
a=rtpmap:96 opus/48000/2
a=fmtp:96 stereo=1;sprop-stereo=1
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=rtcp:18235
a=sendrecv
a=label:1
a=ptime:20
a=minptime:20
m=video 12842 RTP/AVP 97 98
b=AS:500
a=rtpmap:97 H264/90000
a=fmtp:97 packetization-mode=0;profile-level-id=42801f
a=rtpmap:98 H264/90000
a=fmtp:98 packetization-mode=1;profile-level-id=42801f
a=rtcp:12843
a=sendrecv
a=label:2
a=framerate:30.00
a=rtcp-fb:* nack pli
";

/// linphone 5.1: one payload number in both sections, a bound on the session, AVPF, an IPv6 `c=`.
pub(crate) const LINPHONE: &str = "v=0
o=anna 1404 2512 IN IP6 2001:db8::7
s=Talk
c=IN IP6 2001:db8::7
b=AS:380
t=0 0
a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics
a=record:off
m=audio 7078 RTP/AVPF 96 97 98 0 8 18 101 99
c=IN IP4 127.0.0.1
a=rtpmap:96 opus/48000/2
a=fmtp:96 useinbandfec=1
a=rtpmap:97 speex/16000
a=fmtp:97 vbr=on
a=rtpmap:98 speex/8000
a=fmtp:98 vbr=on
a=fmtp:18 annexb=yes
a=rtpmap:101 telephone-event/48000
a=rtpmap:99 telephone-event/8000
a=rtcp-fb:* trr-int 5000
a=rtcp-fb:* ccm tmmbr
m=video 9078 RTP/AVPF 96
c=IN IP4 127.0.0.1
a=rtpmap:96 H264/90000
a=fmtp:96 profile-level-id=42801F
a=rtcp-fb:* trr-int 5000
a=rtcp-fb:* ccm tmmbr
a=rtcp-fb:96 nack pli
a=rtcp-fb:96 ccm fir
";

/// A room system: AAC-LD in LATM on a clock of 90 kHz, H.264 with extensions of its level, bounds in TIAS, a
/// section for the control of a floor.
pub(crate) const ROOM_SYSTEM: &str = "v=0
o=room 4242 1 IN IP4 192.0.2.20
s=-
c=IN IP4 192.0.2.20
b=AS:4000
t=0 0
m=audio 16384 RTP/AVP 96 0 101
b=TIAS:64000
a=rtpmap:96 mp4a-latm/90000
a=fmtp:96 bitrate=64000;profile-level-id=24;object=23
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=sendrecv
m=video 16386 RTP/AVP 112
b=TIAS:4000000
a=rtpmap:112 H264/90000
a=fmtp:112 profile-level-id=4d0028;sprop-parameter-sets=R00AKAmWUgoAAAA=;packetization-mode=1
a=sendrecv
m=application 16388 UDP/BFCP *
a=floorctrl:c-s
";

/// pjsua: constrained baseline with asymmetry and extensions, TIAS in every section, an SSRC line.
pub(crate) const PJSUA: &str = "v=0
o=- 3866200001 3866200001 IN IP4 127.0.0.1
s=pjmedia
b=AS:352
t=0 0
a=X-nat:0
m=audio 4000 RTP/AVP 98 97 99 104 3 0 8 9 96
c=IN IP4 127.0.0.1
b=TIAS:64000
a=rtcp:4001 IN IP4 127.0.0.1
a=sendrecv
a=rtpmap:98 speex/16000
a=rtpmap:97 speex/8000
a=rtpmap:99 speex/32000
a=rtpmap:104 iLBC/8000
a=fmtp:104 mode=30
a=rtpmap:3 GSM/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:9 G722/8000
a=rtpmap:96 telephone-event/8000
a=fmtp:96 0-16
a=ssrc:1349455989 cname:0f2a16ad3c2f0f7d
m=video 4002 RTP/AVP 97
c=IN IP4 127.0.0.1
b=TIAS:256000
a=rtcp:4003 IN IP4 127.0.0.1
a=sendrecv
a=rtpmap:97 H264/90000
a=fmtp:97 profile-level-id=42e01e; packetization-mode=1; max-fs=3600; max-mbps=108000
a=ssrc:573290122 cname:0f2a16ad3c2f0f7d
a=rtcp-fb:* nack pli
";

/// A browser: DTLS-SRTP, bundled.
pub(crate) const BROWSER: &str = "v=0
o=- 4962303333179871722 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:EsAw
a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1
a=fingerprint:sha-256 D2:FA:0E:C3:22:59:5E:14:95:69:92:3D:13:B4:84:24:2C:C2:A2:C0:3E:FD:34:8E:5E:EA:6F:AF:52:CE:E6:0F
a=setup:actpass
a=mid:0
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1
m=video 9 UDP/TLS/RTP/SAVPF 102
c=IN IP4 0.0.0.0
a=mid:1
a=rtcp-mux
a=rtpmap:102 H264/90000
a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
";

/// Reads a description that the test is sure of.
pub(crate) fn parse(text: &str) -> SessionDescription {
    SessionDescription::parse(text.as_bytes(), &Limits::default()).expect("the test's own SDP")
}

/// One end of a call, with audio and video on one port.
pub(crate) struct End {
    pub(crate) state: OfferAnswer,
    pub(crate) capabilities: Capabilities,
    pub(crate) choice: MediaChoice,
    pub(crate) hold: bool,
    pub(crate) port: u16,
}

impl End {
    pub(crate) fn new(port: u16) -> Self {
        End {
            state: OfferAnswer::new(u64::from(port), "127.0.0.1".parse().unwrap()),
            capabilities: Capabilities::default(),
            choice: MediaChoice::BOTH,
            hold: false,
            port,
        }
    }

    pub(crate) fn with_audio(mut self, names: &[&str]) -> Self {
        self.capabilities.audio = Capabilities::audio_from_names(names.iter().copied()).unwrap();
        self
    }

    /// Runs `f` on the state and what this end brings to the exchange.
    pub(crate) fn with<T>(&mut self, f: impl FnOnce(&mut OfferAnswer, &LocalMedia<'_>) -> T) -> T {
        let address = std::net::SocketAddr::new("127.0.0.1".parse().unwrap(), self.port);
        let media = LocalMedia {
            capabilities: &self.capabilities,
            choice: self.choice,
            hold: self.hold,
            audio: LocalStream::one_port(address, Some(u32::from(self.port) * 2)),
            video: LocalStream::one_port(address, Some(u32::from(self.port) * 2 + 1)),
            cname: "end@test",
        };
        f(&mut self.state, &media)
    }

    pub(crate) fn offer(&mut self) -> SessionDescription {
        self.with(|state, media| state.offer(media)).expect("an offer")
    }
}
