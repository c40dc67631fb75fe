//! Message SIDs.
//!
//! A message is known inside by its sequence number. Its SID is that number, scrambled by a key drawn at the start of
//! the process: no index from SID to message is needed, and two runs of the simulator never hand out the same SID.

/// `SM` or `MM`: Twilio uses the second for media and for content templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Media,
}

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Text => "SM",
            Self::Media => "MM",
        }
    }
}

/// Turns sequence numbers into SIDs and back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Minter {
    key: u64,
}

impl Minter {
    pub fn new(key: u64) -> Self {
        Self { key }
    }

    fn id(self, seq: u64) -> u128 {
        let low = mix(seq ^ self.key);
        let high = mix(low.wrapping_add(self.key.rotate_left(32)));
        u128::from(high) << 64 | u128::from(low)
    }

    pub fn sid(self, kind: Kind, seq: u64) -> String {
        format!("{}{:032x}", kind.prefix(), self.id(seq))
    }

    /// The sequence number and kind a SID of this process stands for.
    pub fn seq(self, sid: &str) -> Option<(Kind, u64)> {
        let (kind, digits) = match sid.split_at_checked(2)? {
            ("SM", digits) => (Kind::Text, digits),
            ("MM", digits) => (Kind::Media, digits),
            _ => return None,
        };
        if digits.len() != 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let id = u128::from_str_radix(digits, 16).ok()?;
        let low = (id & u128::from(u64::MAX)) as u64;
        let seq = unmix(low) ^ self.key;
        (self.id(seq) == id).then_some((kind, seq))
    }
}

/// The finalizer of SplitMix64: a bijection.
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn unmix(mut z: u64) -> u64 {
    z = (z ^ (z >> 31) ^ (z >> 62)).wrapping_mul(0x3196_42b2_d24d_8ec3);
    z = (z ^ (z >> 27) ^ (z >> 54)).wrapping_mul(0x96de_1b17_3f11_9089);
    z ^ (z >> 30) ^ (z >> 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sid_leads_back_to_its_number() {
        let minter = Minter::new(0x0123_4567_89ab_cdef);
        for seq in [0, 1, 2, 77, u64::MAX / 3, u64::MAX] {
            for kind in [Kind::Text, Kind::Media] {
                let sid = minter.sid(kind, seq);
                assert_eq!(sid.len(), 34);
                assert_eq!(minter.seq(&sid), Some((kind, seq)));
            }
        }
    }

    #[test]
    fn foreign_sids_are_unknown() {
        let minter = Minter::new(1);
        assert_eq!(minter.seq(&Minter::new(2).sid(Kind::Text, 1)), None);
        for sid in ["", "SM", "é", "SM0000000000000000000000000000000+", "XX00000000000000000000000000000000"] {
            assert_eq!(minter.seq(sid), None, "{sid}");
        }
    }
}
