//! How everything that we keep is encoded: four bytes that say what it is and
//! in which version, then the value in postcard.
//!
//! postcard describes nothing of itself, so a value of another kind or version
//! must never reach it: whatever does not begin with the expected bytes, or
//! does not end where the value ends, counts as not there. A file that nothing
//! else vouches for has a checksum as well (a torn write, a flipped bit); what
//! lies in a blob or in an index entry is known by a digest already.
//!
//! Whoever changes a type that is encoded here takes the next version, and
//! `tests/golden` keeps the old one for ever (`tests/formats.rs`).

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a file is, and in which version.
pub type Magic = [u8; 4];

/// The length of the checksum.
const CHECKSUM: usize = 8;

/// The length of the length of the first of two values.
const LENGTH: usize = 8;

/// Encodes a value.
pub fn encode<T: Serialize + ?Sized>(magic: &Magic, value: &T) -> Vec<u8> {
    // Encoding into memory has nothing to fail on.
    postcard::to_extend(value, magic.to_vec()).unwrap_or_default()
}

/// Decodes a value; none when it is of another kind or version, or damaged.
/// Allocates in proportion to the bytes that are there, whatever lengths they
/// claim (postcard checks them, and serde reserves at most 1 MiB beforehand).
pub fn decode<T: DeserializeOwned>(magic: &Magic, bytes: &[u8]) -> Option<T> {
    whole(bytes.strip_prefix(magic)?)
}

/// Encodes a value with a checksum between the magic bytes and itself.
pub fn encode_checked<T: Serialize + ?Sized>(magic: &Magic, value: &T) -> Vec<u8> {
    let mut bytes = magic.to_vec();
    bytes.extend([0; CHECKSUM]);
    with_checksum(postcard::to_extend(value, bytes).unwrap_or_default())
}

/// Decodes a value with a checksum; none when it does not fit, or as for
/// [`decode`].
pub fn decode_checked<T: DeserializeOwned>(magic: &Magic, bytes: &[u8]) -> Option<T> {
    whole(checked(magic, bytes)?)
}

/// Encodes two values with a checksum, so that they can be decoded at the same
/// time.
pub fn encode_pair<A: Serialize, B: Serialize>(magic: &Magic, first: &A, second: &B) -> Vec<u8> {
    let head = magic.len() + CHECKSUM;
    let mut bytes = magic.to_vec();
    bytes.extend([0; CHECKSUM + LENGTH]);
    let mut bytes = postcard::to_extend(first, bytes).unwrap_or_default();
    let length = bytes.len().saturating_sub(head + LENGTH) as u64;
    if let Some(place) = bytes.get_mut(head..head + LENGTH) {
        place.copy_from_slice(&length.to_le_bytes());
    }
    with_checksum(postcard::to_extend(second, bytes).unwrap_or_default())
}

/// Decodes two values with a checksum, at the same time; none when they do not
/// fit, or as for [`decode`].
pub fn decode_pair<A, B>(magic: &Magic, bytes: &[u8]) -> Option<(A, B)>
where
    A: DeserializeOwned + Send,
    B: DeserializeOwned + Send,
{
    let (length, body) = checked(magic, bytes)?.split_first_chunk::<LENGTH>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (first, second) = body.split_at_checked(length)?;
    let (first, second) = rayon::join(|| whole(first), || whole(second));
    Some((first?, second?))
}

fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
    let magic = size_of::<Magic>();
    if let Some((head, body)) = bytes.split_at_mut_checked(magic + CHECKSUM) {
        head[magic..].copy_from_slice(&checksum(body));
    }
    bytes
}

/// What a checksum vouches for, if it does.
fn checked<'a>(magic: &Magic, bytes: &'a [u8]) -> Option<&'a [u8]> {
    let (sum, body) = bytes.strip_prefix(magic)?.split_at_checked(CHECKSUM)?;
    (sum == checksum(body)).then_some(body)
}

/// A value that ends where the bytes end.
fn whole<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (value, rest) = postcard::take_from_bytes(bytes).ok()?;
    rest.is_empty().then_some(value)
}

/// Against accidents, not against people: who can write here can also write
/// into the programs that are built.
fn checksum(body: &[u8]) -> [u8; CHECKSUM] {
    xxhash_rust::xxh3::xxh3_64(body).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ONE: &Magic = b"ZBx1";
    const TWO: &Magic = b"ZBx2";

    #[test]
    fn other_versions_and_kinds_are_not_there() {
        let value = vec!["a".to_owned(), "b".to_owned()];
        let bytes = encode(ONE, &value);
        assert_eq!(decode(ONE, &bytes), Some(value.clone()));
        assert_eq!(decode::<Vec<String>>(TWO, &bytes), None);
        assert_eq!(decode_checked::<Vec<String>>(ONE, &bytes), None);
        let checked = encode_checked(ONE, &value);
        assert_eq!(decode_checked(ONE, &checked), Some(value));
        assert_eq!(decode_checked::<Vec<String>>(TWO, &checked), None);
    }

    #[test]
    fn huge_lengths_are_refused_without_reserving_them() {
        // A length of 2^63 - 1 with nothing behind it.
        let huge = [&ONE[..], &[0xff; 8], &[0x7f]].concat();
        assert_eq!(decode::<Vec<String>>(ONE, &huge), None);
        assert_eq!(decode::<Vec<[u64; 32]>>(ONE, &huge), None);
        assert_eq!(decode::<String>(ONE, &huge), None);
        assert_eq!(
            decode::<std::collections::HashMap<u64, u64>>(ONE, &huge),
            None
        );
    }

    #[test]
    fn pairs_are_taken_apart_where_the_first_one_ends() {
        let pair = (vec!["a".to_owned()], 7_u64);
        let bytes = encode_pair(ONE, &pair.0, &pair.1);
        let decoded = decode_pair::<Vec<String>, u64>(ONE, &bytes);
        assert_eq!(decoded, Some(pair));
        assert_eq!(decode_pair::<Vec<String>, u64>(TWO, &bytes), None);
        // A length that is wrong, under a checksum that is right.
        let body = &bytes[ONE.len() + CHECKSUM + LENGTH..];
        for length in [0, 2, 4, 5, u64::MAX] {
            let mut wrong = vec![0; ONE.len() + CHECKSUM];
            wrong[..ONE.len()].copy_from_slice(ONE);
            wrong.extend(length.to_le_bytes());
            wrong.extend(body);
            let wrong = with_checksum(wrong);
            assert!(checked(ONE, &wrong).is_some());
            assert_eq!(
                decode_pair::<Vec<String>, u64>(ONE, &wrong),
                None,
                "{length}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_flip_and_any_cut_is_noticed(
            value in proptest::collection::vec(".{0,9}", 0..9),
            at in any::<prop::sample::Index>(),
            bit in 0..8u8,
            longer in any::<bool>(),
        ) {
            let whole = encode_checked(ONE, &value);
            let mut bytes = whole.clone();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(decode_checked::<Vec<String>>(ONE, &bytes), None);
            prop_assert_eq!(decode_checked::<Vec<String>>(ONE, &whole[..at]), None);
            if longer {
                bytes.clone_from(&whole);
                bytes.push(0);
                prop_assert_eq!(decode_checked::<Vec<String>>(ONE, &bytes), None);
            }
        }
    }
}
