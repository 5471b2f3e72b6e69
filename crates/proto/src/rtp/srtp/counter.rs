//! AES in counter mode with HMAC-SHA1: RFC 3711 sections 4.1.1 and 4.2.1, RFC 6188.

use super::cipher::{Cipher, RTCP_CLEAR, Trailer, six_octets, xor};
use super::derive::{Aes, Labels, keyed, session_key};
use super::{MasterKey, SrtpError};
use aes::cipher::{InnerIvInit, Key, KeyInit, StreamCipher, StreamCipherCoreWrapper};
use ctr::CtrCore;
use ctr::flavors::Ctr128BE;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use zeroize::{Zeroize, Zeroizing};

/// Octets of the session key of HMAC-SHA1, RFC 3711 section 5.2.
pub(super) const AUTHENTICATION_KEY: usize = 20;
/// Octets of the SRTCP tag: the suite with 32 bits cuts that of SRTP alone (RFC 4568 section 6.2).
const RTCP_TAG: usize = 10;

/// AES counter mode and HMAC-SHA1 with their session keys.
pub(super) struct Counter<A> {
    aes: A,
    salt: Zeroizing<[u8; 14]>,
    /// Keyed once; a clone of it makes each tag.
    mac: Hmac<Sha1>,
    /// Octets of the SRTP tag.
    rtp_tag: usize,
}

impl<A: Aes> Counter<A> {
    pub(super) fn new(master: &MasterKey, labels: Labels) -> Self {
        let mut salt = Zeroizing::new([0; 14]);
        session_key::<A>(master, labels.salt, salt.as_mut());
        let mut key = Zeroizing::new([0; AUTHENTICATION_KEY]);
        session_key::<A>(master, labels.authentication, key.as_mut());
        let aes = keyed::<A, A>(master, labels.encryption);
        Counter { aes, salt, mac: keyed_mac(&key), rtp_tag: master.profile().rtp_overhead() }
    }

    /// Encrypts or decrypts in place.
    fn crypt(&self, ssrc: u32, index: u64, data: &mut [u8]) {
        let mut iv = [0; 16];
        xor(&mut iv, 0, self.salt.as_ref());
        xor(&mut iv, 4, &ssrc.to_be_bytes());
        xor(&mut iv, 8, &six_octets(index));
        keystream(&self.aes, iv, data);
    }

    fn mac(&self, data: &[u8], more: &[u8]) -> Hmac<Sha1> {
        self.mac.clone().chain_update(data).chain_update(more)
    }

    /// Appends the tag.
    fn sign(&self, out: &mut Vec<u8>, more: &[u8], octets: usize) {
        let tag = self.mac(out, more).finalize().into_bytes();
        out.extend(tag.iter().take(octets));
    }

    /// What stands before the tag, if that fits.
    fn checked<'a>(&self, packet: &'a [u8], more: &[u8], octets: usize) -> Result<&'a [u8], SrtpError> {
        let end = packet.len().checked_sub(octets).ok_or(SrtpError::Malformed)?;
        let (body, tag) = packet.split_at_checked(end).ok_or(SrtpError::Malformed)?;
        self.mac(body, more).verify_truncated_left(tag).map_err(|_| SrtpError::Authentication)?;
        Ok(body)
    }
}

impl<A: Aes> Cipher for Counter<A> {
    fn seal_rtp(&self, packet: &[u8], header: usize, ssrc: u32, index: u64) -> Result<Vec<u8>, SrtpError> {
        let mut out = Vec::with_capacity(packet.len() + self.rtp_tag);
        out.extend_from_slice(packet);
        self.crypt(ssrc, index, out.get_mut(header..).ok_or(SrtpError::Malformed)?);
        self.sign(&mut out, &rollover(index), self.rtp_tag);
        Ok(out)
    }

    fn open_rtp(&self, packet: &[u8], header: usize, ssrc: u32, index: u64) -> Result<Vec<u8>, SrtpError> {
        let mut out = self.checked(packet, &rollover(index), self.rtp_tag)?.to_vec();
        self.crypt(ssrc, index, out.get_mut(header..).ok_or(SrtpError::Malformed)?);
        Ok(out)
    }

    fn seal_rtcp(&self, packet: &[u8], ssrc: u32, index: u32) -> Result<Vec<u8>, SrtpError> {
        let mut out = Vec::with_capacity(packet.len() + Trailer::LEN + RTCP_TAG);
        out.extend_from_slice(packet);
        self.crypt(ssrc, index.into(), out.get_mut(RTCP_CLEAR..).ok_or(SrtpError::Malformed)?);
        out.extend(Trailer::encrypted(index).octets());
        self.sign(&mut out, &[], RTCP_TAG);
        Ok(out)
    }

    fn open_rtcp(&self, packet: &[u8], ssrc: u32) -> Result<Vec<u8>, SrtpError> {
        let signed = self.checked(packet, &[], RTCP_TAG)?;
        let (body, trailer) = Trailer::split(signed).ok_or(SrtpError::Malformed)?;
        let mut out = body.to_vec();
        let payload = out.get_mut(RTCP_CLEAR..).ok_or(SrtpError::Malformed)?;
        if trailer.is_encrypted() {
            self.crypt(ssrc, trailer.index().into(), payload);
        }
        Ok(out)
    }

    fn rtcp_index(&self, packet: &[u8]) -> Option<u32> {
        let (signed, _tag) = packet.split_last_chunk::<RTCP_TAG>()?;
        Trailer::split(signed).map(|(_, trailer)| trailer.index())
    }
}

/// Encrypts or decrypts in place with AES in counter mode; `iv` is the first counter block.
pub(super) fn keystream<A: Aes>(aes: &A, iv: [u8; 16], data: &mut [u8]) {
    let core = CtrCore::<&A, Ctr128BE>::inner_iv_init(aes, &iv.into());
    StreamCipherCoreWrapper::from_core(core).apply_keystream(data);
}

fn keyed_mac(key: &[u8; AUTHENTICATION_KEY]) -> Hmac<Sha1> {
    // HMAC fills up shorter keys with zeros itself (RFC 2104 section 2).
    let mut block = Key::<Hmac<Sha1>>::default();
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let mac = <Hmac<Sha1> as KeyInit>::new(&block);
    block.zeroize();
    mac
}

/// The rollover counter, which the tag of SRTP covers though it is not sent (RFC 3711 section 4.2).
fn rollover(index: u64) -> [u8; 4] {
    let [counter @ .., _, _] = six_octets(index);
    counter
}

#[cfg(test)]
mod tests {
    use super::super::tests::hex;
    use super::*;
    use aes::{Aes128, Aes256};

    const SALT: &str = "f0f1f2f3f4f5f6f7f8f9fafbfcfd";

    /// Compares the keystream of index 0 and SSRC 0 with the first and the last three blocks of a segment.
    fn assert_keystream<A: Aes>(key: &str, first: &str, last: &str) {
        let salt = Zeroizing::new(hex(SALT).try_into().unwrap());
        let counter = Counter {
            aes: A::new_from_slice(&hex(key)).unwrap(),
            salt,
            mac: keyed_mac(&[0; AUTHENTICATION_KEY]),
            rtp_tag: 10,
        };
        let mut data = vec![0; 1_044_512];
        counter.crypt(0, 0, &mut data);
        assert_eq!(data[..48], hex(first));
        assert_eq!(data[data.len() - 48..], hex(last));
    }

    #[test]
    fn the_keystream_is_that_of_rfc_3711_b2() {
        assert_keystream::<Aes128>(
            "2B7E151628AED2A6ABF7158809CF4F3C",
            "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0",
            "EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE 6A2CC3787889374FBEB4C81B17BA6C44",
        );
    }

    #[test]
    fn the_keystream_of_256_bits_is_that_of_rfc_6188_section_7_1() {
        assert_keystream::<Aes256>(
            "57f82fe3613fd170a85ec93c40b1f092 2ec4cb0dc025b58272147cc438944a98",
            "92bdd28a93c3f52511c677d08b5515a4 9da71b2378a854f67050756ded165bac 63c4868b7096d88421b563b8c94c9a31",
            "cea518c90fd91ced9cbb18c078a54711 3dbc4814f4da5f00a08772b63c6a046d 6eb246913062a16891433e97dd01a57f",
        );
    }

    #[test]
    fn the_authentication_is_hmac_sha1_of_rfc_2202() {
        // RFC 2202 section 3, test case 1: a key of 20 octets.
        let tag = keyed_mac(&[0x0b; 20]).chain_update("Hi There").finalize().into_bytes();
        assert_eq!(tag[..], hex("b617318655057264e28bc0b6fb378c8ef146be00"));
    }
}
