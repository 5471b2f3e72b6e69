//! Session keys from a master key: RFC 3711 section 4.3, RFC 6188 section 3, RFC 7714 section 11.

use super::MasterKey;
use super::counter::keystream;
use aes::cipher::consts::U16;
use aes::cipher::{BlockCipher, BlockEncrypt, BlockSizeUser, Key, KeyInit};
use aes::{Aes128, Aes256};
use zeroize::Zeroize;

/// AES with one of its key sizes: that of the master key and of the session keys alike.
pub(super) trait Aes:
    KeyInit + BlockCipher + BlockEncrypt + BlockSizeUser<BlockSize = U16> + Send + Sync
{
}

impl Aes for Aes128 {}
impl Aes for Aes256 {}

/// What a session key is for: RFC 3711 sections 4.3.1 and 4.3.2.
#[derive(Clone, Copy, Debug)]
pub(super) enum Label {
    RtpEncryption = 0,
    RtpAuthentication = 1,
    RtpSalt = 2,
    RtcpEncryption = 3,
    RtcpAuthentication = 4,
    RtcpSalt = 5,
}

/// The labels of the three keys for RTP, or for RTCP.
#[derive(Clone, Copy, Debug)]
pub(super) struct Labels {
    pub(super) encryption: Label,
    pub(super) authentication: Label,
    pub(super) salt: Label,
}

impl Labels {
    pub(super) const RTP: Labels = Labels {
        encryption: Label::RtpEncryption,
        authentication: Label::RtpAuthentication,
        salt: Label::RtpSalt,
    };
    pub(super) const RTCP: Labels = Labels {
        encryption: Label::RtcpEncryption,
        authentication: Label::RtcpAuthentication,
        salt: Label::RtcpSalt,
    };
}

/// Fills `out` with a session key. RFC 7714 does not say where in the 14 octets of RFC 3711 a salt of 12 octets
/// stands: in front of two zeros, as in other implementations.
pub(super) fn session_key<A: Aes>(master: &MasterKey, label: Label, out: &mut [u8]) {
    let mut key = Key::<A>::default();
    key.iter_mut().zip(master.key()).for_each(|(to, from)| *to = *from);
    let mut iv = [0u8; 16];
    iv.iter_mut().zip(master.salt()).for_each(|(to, from)| *to = *from);
    // The label stands above 48 bits of index, which are zero at a key derivation rate of zero.
    iv[7] ^= label as u8;
    out.fill(0);
    keystream(&A::new(&key), iv, out);
    key.zeroize();
}

/// A cipher with its session key.
pub(super) fn keyed<A: Aes, C: KeyInit>(master: &MasterKey, label: Label) -> C {
    let mut key = Key::<C>::default();
    session_key::<A>(master, label, &mut key);
    let cipher = C::new(&key);
    key.zeroize();
    cipher
}

#[cfg(test)]
mod tests {
    use super::super::tests::{hex, master};
    use super::super::{MasterKey, Profile};
    use super::*;

    fn derived<A: Aes>(master: &MasterKey, label: Label, octets: usize) -> Vec<u8> {
        let mut out = vec![0xff; octets];
        session_key::<A>(master, label, &mut out);
        out
    }

    #[test]
    fn session_keys_are_those_of_rfc_3711_b3() {
        let master = master(
            Profile::Aes128CmHmacSha1_80,
            "E1F97A0D3E018BE0D64FA32C06DE4139",
            "0EC675AD498AFEEBB6960B3AABE6",
        );
        let key = |label, octets| derived::<Aes128>(&master, label, octets);
        assert_eq!(key(Label::RtpEncryption, 16), hex("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(key(Label::RtpSalt, 14), hex("30CBBC08863D8C85D49DB34A9AE1"));
        let authentication = "CEBE321F6FF7716B6FD4AB49AF256A15 6D38BAA48F0A0ACF3C34E2359E6CDBCE
            E049646C43D9327AD175578EF7227098 6371C10C9A369AC2F94A8C5FBCDDDC25
            6D6E919A48B610EF17C2041E47403576 6B68642C59BBFC2F34DB60DBDFB2";
        assert_eq!(key(Label::RtpAuthentication, 94), hex(authentication));
        // The RFC gives none for RTCP: these are what `openssl enc -aes-128-ctr` makes of the input blocks.
        assert_eq!(key(Label::RtcpEncryption, 16), hex("4c1aa45a81f73d61c800bbb00fbb1eaa"));
        assert_eq!(key(Label::RtcpAuthentication, 20), hex("8d54534feb49ae8e7993a6bd0b844fc323a93dfd"));
        assert_eq!(key(Label::RtcpSalt, 14), hex("9581c7ad87b3e530bf3e4454a8b3"));
    }

    #[test]
    fn session_keys_of_256_bits_are_those_of_rfc_6188_section_7_2() {
        let master = master(
            Profile::Aes256CmHmacSha1_80,
            "f0f04914b513f2763a1b1fa130f10e29 98f6f6e43e4309d1e622a0e332b9f1b6",
            "3b04803de51ee7c96423ab5b78d2",
        );
        let key = |label, octets| derived::<Aes256>(&master, label, octets);
        let encryption = "5ba1064e30ec51613cad926c5a28ef73 1ec7fb397f70a960653caf06554cd8c4";
        assert_eq!(key(Label::RtpEncryption, 32), hex(encryption));
        assert_eq!(key(Label::RtpSalt, 14), hex("fa31791685ca444a9e07c6c64e93"));
        assert_eq!(key(Label::RtpAuthentication, 20), hex("fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"));
        // By OpenSSL, as above.
        let encryption = "8ee75f2de53606ebfb9aabce0b530213 ce0966976277ff918700903dcc406073";
        assert_eq!(key(Label::RtcpEncryption, 32), hex(encryption));
        assert_eq!(key(Label::RtcpAuthentication, 20), hex("0235c1262ca7178cf9d8180fa6574a1d997fdc7a"));
        assert_eq!(key(Label::RtcpSalt, 14), hex("b174376e041b45cd4031056e44ba"));
    }
}
