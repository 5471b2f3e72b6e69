//! AES-GCM: RFC 7714 sections 8 and 9.

use super::cipher::{Cipher, RTCP_CLEAR, Trailer, six_octets, xor};
use super::derive::{Aes, Labels, keyed, session_key};
use super::{MasterKey, SrtpError};
use aes::cipher::consts::U12;
use aes_gcm::aead::AeadInPlace;
use aes_gcm::{AesGcm, Nonce, Tag};
use zeroize::Zeroizing;

/// Octets of a tag.
const TAG: usize = 16;

/// AES-GCM with its session key.
pub(super) struct Gcm<A> {
    gcm: AesGcm<A, U12>,
    salt: Zeroizing<[u8; 12]>,
}

impl<A: Aes> Gcm<A> {
    pub(super) fn new(master: &MasterKey, labels: Labels) -> Self {
        let mut salt = Zeroizing::new([0; 12]);
        session_key::<A>(master, labels.salt, salt.as_mut());
        Gcm { gcm: keyed::<A, AesGcm<A, U12>>(master, labels.encryption), salt }
    }

    /// RFC 7714 section 8.1.
    fn rtp_iv(&self, ssrc: u32, index: u64) -> [u8; 12] {
        let mut iv = *self.salt;
        xor(&mut iv, 2, &ssrc.to_be_bytes());
        xor(&mut iv, 6, &six_octets(index));
        iv
    }

    /// RFC 7714 section 9.1.
    fn rtcp_iv(&self, ssrc: u32, index: u32) -> [u8; 12] {
        let mut iv = *self.salt;
        xor(&mut iv, 2, &ssrc.to_be_bytes());
        xor(&mut iv, 8, &index.to_be_bytes());
        iv
    }

    fn seal(&self, iv: &[u8; 12], aad: &[u8], data: &mut [u8]) -> Result<[u8; TAG], SrtpError> {
        let tag = self.gcm.encrypt_in_place_detached(Nonce::from_slice(iv), aad, data);
        // It refuses what is longer than 64 GiB.
        tag.map(Into::into).map_err(|_| SrtpError::Malformed)
    }

    fn open(&self, iv: &[u8; 12], aad: &[u8], data: &mut [u8], tag: [u8; TAG]) -> Result<(), SrtpError> {
        let opened = self.gcm.decrypt_in_place_detached(Nonce::from_slice(iv), aad, data, &Tag::from(tag));
        opened.map_err(|_| SrtpError::Authentication)
    }
}

impl<A: Aes> Cipher for Gcm<A> {
    fn seal_rtp(&self, packet: &[u8], header: usize, ssrc: u32, index: u64) -> Result<Vec<u8>, SrtpError> {
        let mut out = Vec::with_capacity(packet.len() + TAG);
        out.extend_from_slice(packet);
        let (clear, payload) = split(&mut out, header)?;
        let tag = self.seal(&self.rtp_iv(ssrc, index), clear, payload)?;
        out.extend(tag);
        Ok(out)
    }

    fn open_rtp(&self, packet: &[u8], header: usize, ssrc: u32, index: u64) -> Result<Vec<u8>, SrtpError> {
        let (body, tag) = packet.split_last_chunk::<TAG>().ok_or(SrtpError::Malformed)?;
        let mut out = body.to_vec();
        let (clear, payload) = split(&mut out, header)?;
        self.open(&self.rtp_iv(ssrc, index), clear, payload, *tag)?;
        Ok(out)
    }

    fn seal_rtcp(&self, packet: &[u8], ssrc: u32, index: u32) -> Result<Vec<u8>, SrtpError> {
        let mut out = Vec::with_capacity(packet.len() + TAG + Trailer::LEN);
        out.extend_from_slice(packet);
        let trailer = Trailer::encrypted(index).octets();
        let (clear, payload) = split(&mut out, RTCP_CLEAR)?;
        let tag = self.seal(&self.rtcp_iv(ssrc, index), &[&*clear, &trailer].concat(), payload)?;
        out.extend(tag);
        out.extend(trailer);
        Ok(out)
    }

    fn open_rtcp(&self, packet: &[u8], ssrc: u32) -> Result<Vec<u8>, SrtpError> {
        let (sealed, trailer) = Trailer::split(packet).ok_or(SrtpError::Malformed)?;
        let (body, tag) = sealed.split_last_chunk::<TAG>().ok_or(SrtpError::Malformed)?;
        let mut out = body.to_vec();
        let (clear, payload) = split(&mut out, RTCP_CLEAR)?;
        let (iv, octets) = (self.rtcp_iv(ssrc, trailer.index()), trailer.octets());
        if trailer.is_encrypted() {
            self.open(&iv, &[&*clear, &octets].concat(), payload, *tag)?;
        } else {
            // All of it is associated data (RFC 7714 section 9.3).
            self.open(&iv, &[body, &octets].concat(), &mut [], *tag)?;
        }
        Ok(out)
    }

    fn rtcp_index(&self, packet: &[u8]) -> Option<u32> {
        Trailer::split(packet).map(|(_, trailer)| trailer.index())
    }
}

fn split(packet: &mut [u8], clear: usize) -> Result<(&mut [u8], &mut [u8]), SrtpError> {
    packet.split_at_mut_checked(clear).ok_or(SrtpError::Malformed)
}

/// The vectors of RFC 7714 sections 16 and 17, whose keys are session keys.
#[cfg(test)]
mod tests {
    use super::super::tests::hex;
    use super::*;
    use aes::{Aes128, Aes256};
    use aes_gcm::KeyInit;

    const RTP: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976
        69736120 696e2070 61727465 73207472 6573";
    const RTCP: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
        deadbeef deadbeef deadbeef deadbeef deadbeef";
    const SSRC: u32 = 0x5501_a0b2;
    const SEQ: u64 = 0xf17b;
    const RTCP_SSRC: u32 = 0x4d61_7273;
    const RTCP_INDEX: u32 = 0x5d4;

    fn cipher<A: Aes>() -> Gcm<A> {
        let key: Vec<u8> = (0..32).take(A::key_size()).collect();
        let salt = Zeroizing::new(*b"Quid pro quo");
        Gcm { gcm: AesGcm::new_from_slice(&key).unwrap(), salt }
    }

    fn assert_rtp<A: Aes>(sealed: &str) {
        let cipher = cipher::<A>();
        assert_eq!(cipher.rtp_iv(SSRC, SEQ)[..], hex("51 75 3c 65 80 c2 72 6f 20 71 84 14"));
        assert_eq!(cipher.seal_rtp(&hex(RTP), 12, SSRC, SEQ), Ok(hex(sealed)));
        assert_eq!(cipher.open_rtp(&hex(sealed), 12, SSRC, SEQ), Ok(hex(RTP)));
    }

    /// All of the packet as associated data.
    fn assert_rtp_tag<A: Aes>(tag: &str) {
        let cipher = cipher::<A>();
        let iv = cipher.rtp_iv(SSRC, SEQ);
        let tag: [u8; TAG] = hex(tag).try_into().unwrap();
        assert_eq!(cipher.seal(&iv, &hex(RTP), &mut []), Ok(tag));
        assert_eq!(cipher.open(&iv, &hex(RTP), &mut [], tag), Ok(()));
    }

    fn assert_rtcp<A: Aes>(sealed: &str) {
        let cipher = cipher::<A>();
        assert_eq!(cipher.rtcp_iv(RTCP_SSRC, RTCP_INDEX)[..], hex("51 75 24 05 52 03 72 6f 20 71 70 bb"));
        assert_eq!(cipher.seal_rtcp(&hex(RTCP), RTCP_SSRC, RTCP_INDEX), Ok(hex(sealed)));
        assert_eq!(cipher.open_rtcp(&hex(sealed), RTCP_SSRC), Ok(hex(RTCP)));
        assert_eq!(cipher.rtcp_index(&hex(sealed)), Some(RTCP_INDEX));
    }

    /// Tagged and not encrypted: the E flag is clear.
    fn assert_rtcp_tag<A: Aes>(tag: &str) {
        let cipher = cipher::<A>();
        let aad = hex(&format!("{RTCP} 000005d4"));
        let made = cipher.seal(&cipher.rtcp_iv(RTCP_SSRC, RTCP_INDEX), &aad, &mut []);
        assert_eq!(made.unwrap()[..], hex(tag));
        let tagged = hex(&format!("{RTCP} {tag} 000005d4"));
        assert_eq!(cipher.open_rtcp(&tagged, RTCP_SSRC), Ok(hex(RTCP)));
    }

    #[test]
    fn rtp_is_sealed_and_opened_as_in_rfc_7714_section_16() {
        assert_rtp::<Aes128>(
            "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a
             51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
        );
        assert_rtp_tag::<Aes128>("22493f82 d2bce397 e9d79e3b 19aa4216");
        assert_rtp::<Aes256>(
            "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02
             76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
        );
        assert_rtp_tag::<Aes256>("a866d591 0f887463 067ceefe c45215d4");
    }

    #[test]
    fn rtcp_is_sealed_and_opened_as_in_rfc_7714_section_17() {
        assert_rtcp::<Aes128>(
            "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda
             4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
        );
        assert_rtcp::<Aes256>(
            "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be
             8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4",
        );
        assert_rtcp_tag::<Aes128>("841dd968 3dd78ec9 2ae58790 125f62b3");
        assert_rtcp_tag::<Aes256>("91db4afb feee5a97 8fab4393 ed2615fe");
    }
}
