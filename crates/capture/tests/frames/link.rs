//! Frames of every link that is read.

use visavis_capture::Direction;

/// How packets are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Ethernet,
    /// 802.1Q.
    Vlan,
    /// 802.1Q in 802.1ad.
    StackedVlan,
    /// LLC with SNAP on Ethernet.
    Snap,
    Pppoe,
    CookedV1,
    CookedV2,
    Raw,
    /// The number that old files of raw IP have.
    RawOld,
    Null,
    /// The same, by a machine of the other byte order, and in Darwin's numbers.
    NullBig,
    Loop,
    Wifi,
    /// With quality of service and four addresses.
    WifiBridge,
    /// Aggregates of one packet.
    WifiAggregate,
    /// Radiotap with a timer, flags and antenna, before quality of service and padding.
    Radiotap,
    /// PPI with the common field, before 802.11.
    Ppi,
    /// PPI before Ethernet.
    PpiEthernet,
}

pub const ALL: [Link; 18] = [
    Link::Ethernet,
    Link::Vlan,
    Link::StackedVlan,
    Link::Snap,
    Link::Pppoe,
    Link::CookedV1,
    Link::CookedV2,
    Link::Raw,
    Link::RawOld,
    Link::Null,
    Link::NullBig,
    Link::Loop,
    Link::Wifi,
    Link::WifiBridge,
    Link::WifiAggregate,
    Link::Radiotap,
    Link::Ppi,
    Link::PpiEthernet,
];

const HERE: [u8; 6] = [2, 0, 0, 0, 0, 1];
const THERE: [u8; 6] = [2, 0, 0, 0, 0, 2];
const STATION: [u8; 6] = [2, 0, 0, 0, 0, 3];

impl Link {
    /// The number in the header of a file.
    pub fn number(self) -> u32 {
        match self {
            Link::Ethernet | Link::Vlan | Link::StackedVlan | Link::Snap | Link::Pppoe => 1,
            Link::CookedV1 => 113,
            Link::CookedV2 => 276,
            Link::Raw => 101,
            Link::RawOld => 12,
            Link::Null | Link::NullBig => 0,
            Link::Loop => 108,
            Link::Wifi | Link::WifiBridge | Link::WifiAggregate => 105,
            Link::Radiotap => 127,
            Link::Ppi | Link::PpiEthernet => 192,
        }
    }

    /// Whether the frame itself says which way it went.
    pub fn tells_direction(self) -> bool {
        matches!(self, Link::CookedV1 | Link::CookedV2)
    }

    /// The frame around an IP packet.
    pub fn frame(self, packet: &[u8], direction: Option<Direction>) -> Vec<u8> {
        let v6 = packet[0] >> 4 == 6;
        let [high, low] = if v6 { [0x86, 0xdd] } else { [0x08, 0x00] };
        let outbound = direction == Some(Direction::Outbound);
        let (from, to) = if outbound { (HERE, THERE) } else { (THERE, HERE) };
        let llc = [0xaa, 0xaa, 3, 0, 0, 0, high, low];
        let addresses = [to, from].concat();
        // Short frames of Ethernet are filled up.
        let ethernet = |head: &[u8]| {
            let mut frame = [&addresses[..], head, packet].concat();
            frame.resize(frame.len().max(60), 0);
            frame
        };
        let kind = if outbound { 4 } else { 0 };
        match self {
            Link::Ethernet => ethernet(&[high, low]),
            Link::Vlan => ethernet(&[0x81, 0, 0, 7, high, low]),
            Link::StackedVlan => ethernet(&[0x88, 0xa8, 0x20, 9, 0x81, 0, 0, 7, high, low]),
            Link::Snap => {
                let length = ((packet.len() + 8) as u16).to_be_bytes();
                ethernet(&[&length[..], &llc].concat())
            }
            Link::Pppoe => {
                let [a, b] = ((packet.len() + 2) as u16).to_be_bytes();
                ethernet(&[0x88, 0x64, 0x11, 0, 0, 1, a, b, 0, if v6 { 0x57 } else { 0x21 }])
            }
            Link::CookedV1 => [&[0, kind, 0, 1, 0, 6][..], &from, &[0, 0], &[high, low], packet].concat(),
            Link::CookedV2 => {
                [&[high, low, 0, 0, 0, 0, 0, 2, 0, 1, kind, 6][..], &from, &[0, 0], packet].concat()
            }
            Link::Raw | Link::RawOld => packet.to_vec(),
            Link::Null => [&[if v6 { 28 } else { 2 }, 0, 0, 0], packet].concat(),
            Link::NullBig | Link::Loop => [&[0, 0, 0, if v6 { 30 } else { 2 }], packet].concat(),
            // From a station to its access point, and the other way.
            Link::Wifi => {
                let (flags, receivers) =
                    if outbound { (1, [STATION, from, to]) } else { (2, [to, STATION, from]) };
                [&[0x08, flags, 0, 0][..], &receivers.concat(), &[0x30, 0], &llc, packet].concat()
            }
            Link::WifiBridge => {
                let head = [&[0x88, 3, 0, 0][..], &[STATION, STATION, to].concat(), &[0x30, 0]].concat();
                [&head[..], &from, &[0, 0], &llc, packet].concat()
            }
            Link::WifiAggregate => {
                let head = [&[0x88, 1, 0, 0][..], &[STATION, from, STATION].concat(), &[0x30, 0]].concat();
                let length = ((packet.len() + 8) as u16).to_be_bytes();
                [&head[..], &[0x80, 0], &addresses, &length, &llc, packet].concat()
            }
            Link::Radiotap => {
                let head = [&[0, 0, 26, 0, 3, 8, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0][..], &[7; 8]].concat();
                let qos = [&[0x88, 1, 0, 0][..], &[STATION, from, to].concat(), &[0x30, 0]].concat();
                [&head[..], &[0x20, 1], &qos, &[0, 0, 0xee, 0xee], &llc, packet].concat()
            }
            Link::Ppi => {
                let common = [&[2, 0, 20, 0][..], &[0; 20]].concat();
                [&[0, 0, 32, 0, 105, 0, 0, 0][..], &common, &Link::Wifi.frame(packet, direction)].concat()
            }
            Link::PpiEthernet => {
                [&[0, 0, 8, 0, 1, 0, 0, 0][..], &Link::Ethernet.frame(packet, direction)].concat()
            }
        }
    }
}
