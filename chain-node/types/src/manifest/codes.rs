//! Codes of the outside world whose form or check digit can be computed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a code is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// 统一社会信用代码, GB 32100-2015: 18 characters, the last is the check character modulo 31.
    Uscc,
    /// GS1 trade item number, 14 digits, the last is the check digit modulo 10.
    Gtin14,
    /// ISO 7064 MOD 37,36: letters and digits, the last is the check character (证照标识).
    #[serde(rename = "iso7064_mod37_36")]
    Iso7064Mod37_36,
    /// 药品追溯码: 20 digits that begin with 8.
    DrugCode,
    /// 农药单元识别代码: 32 digits, registration class 1 to 3 first, kind of production 1 to 3 eighth.
    PesticideCode,
}

impl Check {
    /// Whether the code passes.
    pub fn accepts(self, code: &str) -> bool {
        match self {
            Self::Uscc => uscc(code),
            Self::Gtin14 => gtin14(code),
            Self::Iso7064Mod37_36 => iso7064_mod37_36(code),
            Self::DrugCode => digits(code, 20) && code.starts_with('8'),
            Self::PesticideCode => {
                let one_to_three = |at: usize| matches!(code.as_bytes().get(at), Some(b'1'..=b'3'));
                digits(code, 32) && one_to_three(0) && one_to_three(7)
            }
        }
    }
}

fn digits(code: &str, len: usize) -> bool {
    code.len() == len && code.bytes().all(|b| b.is_ascii_digit())
}

fn gtin14(code: &str) -> bool {
    let weight = |at: usize| if at.is_multiple_of(2) { 3 } else { 1 };
    let sum: u32 = code.bytes().enumerate().map(|(at, b)| u32::from(b.wrapping_sub(b'0')) * weight(at)).sum();
    digits(code, 14) && sum.is_multiple_of(10) && code.bytes().any(|b| b != b'0')
}

fn uscc(code: &str) -> bool {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
    const WEIGHTS: [usize; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
    let place = |b: u8| ALPHABET.iter().position(|a| *a == b);
    let places: Option<Vec<usize>> = code.bytes().map(place).collect();
    let Some((last, body)) = places.as_deref().and_then(<[usize]>::split_last) else { return false };
    let sum: usize = body.iter().zip(WEIGHTS).map(|(place, weight)| place * weight).sum();
    body.len() == 17 && (31 - sum % 31) % 31 == *last
}

fn iso7064_mod37_36(code: &str) -> bool {
    let place = |b: u8| match b {
        b'0'..=b'9' => Some(u32::from(b - b'0')),
        b'A'..=b'Z' => Some(u32::from(b - b'A') + 10),
        _ => None,
    };
    let places: Option<Vec<u32>> = code.bytes().map(place).collect();
    let Some((last, body)) = places.as_deref().and_then(<[u32]>::split_last) else { return false };
    let mut product = 36;
    for place in body {
        let sum = (product + place) % 36;
        product = if sum == 0 { 36 } else { sum } * 2 % 37;
    }
    !body.is_empty() && code.len() <= 64 && (product + last) % 36 == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn published_codes_pass_and_a_changed_character_fails() {
        for (check, code) in [
            (Check::Gtin14, "09506000134352"),
            (Check::Gtin14, "00614141123452"),
            (Check::Uscc, "91350100M000100Y43"),
            (Check::Iso7064Mod37_36, "A12425GABC1234002M"),
            (Check::DrugCode, "81234567890123456789"),
            (Check::PesticideCode, "12345671123456789012345678901234"),
        ] {
            assert!(check.accepts(code), "{code}");
            assert!(!check.accepts(&code[1..]), "{code}");
            assert!(!check.accepts(&format!("{code}0")), "{code}");
            assert!(!check.accepts(""), "{code}");
        }
        assert!(!Check::Gtin14.accepts("09506000134353"));
        assert!(!Check::Gtin14.accepts("00000000000000"));
        assert!(!Check::Uscc.accepts("91350100M000100Y44"));
        assert!(!Check::Iso7064Mod37_36.accepts("A12425GABC1234002N"));
    }

    proptest! {
        #[test]
        fn a_gtin_with_one_digit_changed_fails(body in "[0-9]{13}", at in 0usize..14, by in 1u8..10) {
            let Some(code) = (0..10u8).map(|d| format!("{body}{d}")).find(|c| gtin14(c)) else { return Ok(()) };
            let mut bytes = code.into_bytes();
            bytes[at] = b'0' + (bytes[at] - b'0' + by) % 10;
            prop_assert!(!gtin14(&String::from_utf8(bytes).unwrap()));
        }

        #[test]
        fn arbitrary_text_never_panics(code in ".{0,40}") {
            for check in [Check::Uscc, Check::Gtin14, Check::Iso7064Mod37_36, Check::DrugCode, Check::PesticideCode] {
                let _ = check.accepts(&code);
            }
        }
    }
}
