//! Reads deterministic CBOR and nothing else.

use std::fmt;

/// Why bytes are not what they should be, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault} at byte {offset}")]
pub struct DecodeError {
    pub offset: usize,
    pub fault: Fault,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The bytes end inside an item.
    End,
    /// An integer or length is not in its shortest form, or is of indefinite length.
    NotShortest,
    /// The item is of another type than the format demands.
    Expected(&'static str),
    /// Map keys are not in the order of their encoded bytes, or one stands twice.
    KeyOrder,
    /// Text is not UTF-8.
    Utf8,
    /// Floats, undefined and other simple values have no place in these formats.
    Unsupported,
    /// Nested deeper than 16 levels.
    Depth,
    /// Bytes follow the object.
    Trailing,
    /// Well-formed, but not a value this field can have.
    Invalid(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::End => f.write_str("bytes end too early"),
            Fault::NotShortest => f.write_str("an integer or length is not in its shortest form"),
            Fault::Expected(what) => write!(f, "expected {what}"),
            Fault::KeyOrder => f.write_str("map keys are unsorted or repeated"),
            Fault::Utf8 => f.write_str("text is not UTF-8"),
            Fault::Unsupported => f.write_str("floats, tags and simple values are not allowed here"),
            Fault::Depth => f.write_str("nested too deeply"),
            Fault::Trailing => f.write_str("bytes follow the object"),
            Fault::Invalid(what) => write!(f, "invalid {what}"),
        }
    }
}

/// Deeper nesting is refused before it can cost stack.
const MAX_DEPTH: usize = 16;

/// A cursor over deterministic CBOR.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// An error at the present place.
    pub fn fault(&self, fault: Fault) -> DecodeError {
        DecodeError { offset: self.at, fault }
    }

    /// `Invalid(what)` at the present place.
    pub fn invalid(&self, what: &'static str) -> DecodeError {
        self.fault(Fault::Invalid(what))
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        let end = self.at.checked_add(n).ok_or_else(|| self.fault(Fault::End))?;
        let slice = self.bytes.get(self.at..end).ok_or_else(|| self.fault(Fault::End))?;
        self.at = end;
        Ok(slice)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        let slice = self.take(1)?;
        slice.first().copied().ok_or_else(|| self.fault(Fault::End))
    }

    fn head(&mut self) -> Result<(u8, u64), DecodeError> {
        let first = self.byte()?;
        let (major, info) = (first >> 5, first & 0x1f);
        let n = match info {
            0..=23 => u64::from(info),
            24..=27 => {
                let mut n = 0u64;
                for b in self.take(1 << (info - 24))? {
                    n = n << 8 | u64::from(*b);
                }
                let least = [24, 0x100, 0x1_0000, 0x1_0000_0000];
                // Major 7 holds floats in these forms; they are refused by whoever asked.
                if major != 7 && n < least.get(usize::from(info - 24)).copied().unwrap_or(0) {
                    return Err(self.fault(Fault::NotShortest));
                }
                n
            }
            _ => return Err(self.fault(Fault::NotShortest)),
        };
        Ok((major, n))
    }

    fn expect(&mut self, major: u8, what: &'static str) -> Result<u64, DecodeError> {
        let at = self.at;
        match self.head()? {
            (m, n) if m == major => Ok(n),
            _ => {
                self.at = at;
                Err(self.fault(Fault::Expected(what)))
            }
        }
    }

    fn length(&mut self, major: u8, what: &'static str) -> Result<usize, DecodeError> {
        let n = self.expect(major, what)?;
        // Every item takes at least one byte: a length beyond the rest is a lie, and is refused before any allocation.
        let rest = self.bytes.len().saturating_sub(self.at);
        match usize::try_from(n) {
            Ok(n) if n <= rest => Ok(n),
            _ => Err(self.fault(Fault::End)),
        }
    }

    pub fn uint(&mut self) -> Result<u64, DecodeError> {
        self.expect(0, "an unsigned integer")
    }

    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        let n = self.uint()?;
        u32::try_from(n).map_err(|_| self.invalid("32-bit integer"))
    }

    pub fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let n = self.length(2, "a byte string")?;
        self.take(n)
    }

    pub fn fixed<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], DecodeError> {
        let b = self.bytes()?;
        b.try_into().map_err(|_| self.invalid(what))
    }

    pub fn text(&mut self) -> Result<&'a str, DecodeError> {
        let n = self.length(3, "a text string")?;
        let b = self.take(n)?;
        std::str::from_utf8(b).map_err(|_| self.fault(Fault::Utf8))
    }

    pub fn array(&mut self) -> Result<usize, DecodeError> {
        self.length(4, "an array")
    }

    /// An array of exactly `n` items.
    pub fn array_of(&mut self, n: usize) -> Result<(), DecodeError> {
        match self.array()? {
            m if m == n => Ok(()),
            _ => Err(self.invalid("number of array items")),
        }
    }

    /// Opens `[domain, …]` of `n` items in all and checks the domain string.
    pub fn domain(&mut self, domain: &'static str, n: usize) -> Result<(), DecodeError> {
        self.array_of(n)?;
        match self.text()? {
            t if t == domain => Ok(()),
            _ => Err(self.invalid("domain string")),
        }
    }

    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        match self.byte()? {
            0xf4 => Ok(false),
            0xf5 => Ok(true),
            _ => {
                self.at -= 1;
                Err(self.fault(Fault::Expected("true or false")))
            }
        }
    }

    /// Reads `null`, or leaves the reader where it is.
    pub fn null(&mut self) -> bool {
        let is_null = self.bytes.get(self.at) == Some(&0xf6);
        self.at += usize::from(is_null);
        is_null
    }

    /// Passes over one byte of a form that is fixed to the byte.
    pub fn skip_byte(&mut self, expected: u8, what: &'static str) -> Result<(), DecodeError> {
        match self.bytes.get(self.at) {
            Some(byte) if *byte == expected => {
                self.at += 1;
                Ok(())
            }
            _ => Err(self.invalid(what)),
        }
    }

    /// Checks one item of any type and gives its bytes.
    pub fn raw(&mut self) -> Result<&'a [u8], DecodeError> {
        let start = self.at;
        self.value(0)?;
        Ok(self.bytes.get(start..self.at).unwrap_or_default())
    }

    /// Steps over one item without checking what it holds: for bytes that were checked when they were stored.
    pub fn skip(&mut self) -> Result<(), DecodeError> {
        let mut left = 1u64;
        while left > 0 {
            left -= 1;
            let (major, n) = self.head()?;
            match major {
                0 | 1 | 7 => {}
                2 | 3 => drop(self.take(usize::try_from(n).map_err(|_| self.fault(Fault::End))?)?),
                4 => left = left.saturating_add(n),
                5 => left = left.saturating_add(n.saturating_mul(2)),
                _ => return Err(self.fault(Fault::Unsupported)),
            }
        }
        Ok(())
    }

    /// Nothing may follow.
    pub fn end(&self) -> Result<(), DecodeError> {
        match self.at == self.bytes.len() {
            true => Ok(()),
            false => Err(self.fault(Fault::Trailing)),
        }
    }

    /// Reads one item of the open types: integers, byte and text strings, arrays, maps, booleans and null.
    pub(super) fn value(&mut self, depth: usize) -> Result<ciborium::Value, DecodeError> {
        use ciborium::Value;
        if depth > MAX_DEPTH {
            return Err(self.fault(Fault::Depth));
        }
        let at = self.at;
        let (major, n) = self.head()?;
        self.at = at;
        Ok(match major {
            0 => Value::Integer(self.uint()?.into()),
            1 => {
                self.head()?;
                let n = ciborium::value::Integer::try_from(-1 - i128::from(n));
                Value::Integer(n.map_err(|_| self.invalid("integer"))?)
            }
            2 => Value::Bytes(self.bytes()?.to_vec()),
            3 => Value::Text(self.text()?.to_owned()),
            4 => {
                let n = self.array()?;
                let items: Result<Vec<_>, _> = (0..n).map(|_| self.value(depth + 1)).collect();
                Value::Array(items?)
            }
            5 => Value::Map(self.pairs(depth)?),
            7 if n == 20 || n == 21 => Value::Bool(self.bool()?),
            7 if self.null() => Value::Null,
            _ => return Err(self.fault(Fault::Unsupported)),
        })
    }

    fn pairs(&mut self, depth: usize) -> Result<Vec<(ciborium::Value, ciborium::Value)>, DecodeError> {
        let n = self.length(5, "a map")?;
        let mut pairs = Vec::with_capacity(n.min(64));
        let mut previous: &[u8] = &[];
        for _ in 0..n {
            let start = self.at;
            let key = self.value(depth + 1)?;
            let encoded = self.bytes.get(start..self.at).unwrap_or_default();
            if encoded <= previous {
                return Err(self.fault(Fault::KeyOrder));
            }
            previous = encoded;
            pairs.push((key, self.value(depth + 1)?));
        }
        Ok(pairs)
    }
}
