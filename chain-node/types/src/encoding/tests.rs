//! One byte form a value: published examples, properties, and every other form refused.

use super::*;
use proptest::prelude::*;

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::from),
        "[a-z\u{4e00}-\u{4eff}]{0,12}".prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            proptest::collection::btree_map("[a-z]{1,6}", inner, 0..6)
                .prop_map(|m| Value::Map(m.into_iter().map(|(k, v)| (Value::from(k), v)).collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back_and_writes_the_same_bytes(value in any_value()) {
        let bytes = value_to_vec(&value).unwrap();
        let read = read_value(&bytes).unwrap();
        prop_assert_eq!(value_to_vec(&read).unwrap(), bytes);
    }

    #[test]
    fn any_bytes_are_refused_or_reproduced(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(value) = read_value(&bytes) {
            prop_assert_eq!(value_to_vec(&value).unwrap(), bytes);
        }
    }

    #[test]
    fn skipping_an_item_ends_where_reading_it_ends(value in any_value()) {
        let bytes = [value_to_vec(&value).unwrap(), vec![0x05]].concat();
        let mut r = Reader::new(&bytes);
        r.skip().unwrap();
        prop_assert_eq!(r.uint().unwrap(), 5);
        r.end().unwrap();
    }

    #[test]
    fn skipping_any_bytes_ends_or_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = Reader::new(&bytes).skip();
    }
}

/// RFC 8949 appendix A, the examples within these formats.
#[test]
fn published_examples_encode_as_published() {
    let cases: [(Value, &str); 10] = [
        (Value::from(0u64), "00"),
        (Value::from(23u64), "17"),
        (Value::from(24u64), "1818"),
        (Value::from(1000u64), "1903e8"),
        (Value::from(1_000_000_000_000u64), "1b000000e8d4a51000"),
        (Value::from(u64::MAX), "1bffffffffffffffff"),
        (Value::from(-1i64), "20"),
        (Value::from(-1000i64), "3903e7"),
        (Value::from("水"), "63e6b0b4"),
        (Value::Array(vec![1u64.into(), Value::Array(vec![2u64.into(), 3u64.into()])]), "8201820203"),
    ];
    for (value, hex) in cases {
        assert_eq!(hex::encode(value_to_vec(&value).unwrap()), hex);
        assert_eq!(read_value(&hex::decode(hex).unwrap()).unwrap(), value);
    }
}

#[test]
fn every_other_form_is_refused() {
    let cases = [
        ("1800", Fault::NotShortest),
        ("190001", Fault::NotShortest),
        ("5f4101ff", Fault::NotShortest),
        ("9fff", Fault::NotShortest),
        ("f90000", Fault::Unsupported),
        ("c100", Fault::Unsupported),
        ("f7", Fault::Unsupported),
        ("a2616201616102", Fault::KeyOrder),
        ("a2616101616102", Fault::KeyOrder),
        ("0000", Fault::Trailing),
        ("61ff", Fault::Utf8),
        ("9bffffffffffffffff", Fault::End),
        ("42ff", Fault::End),
        ("", Fault::End),
    ];
    for (hex, fault) in cases {
        assert_eq!(read_value(&hex::decode(hex).unwrap()).unwrap_err().fault, fault, "{hex}");
    }
    let deep = [0x81; 40];
    assert_eq!(read_value(&deep).unwrap_err().fault, Fault::Depth);
}
