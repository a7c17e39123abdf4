//! Writes deterministic CBOR. Lengths are the caller's promise: `array(n)` is followed by exactly n items.

/// An append-only buffer of deterministic CBOR.
#[derive(Default, Debug, Clone)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn head(&mut self, major: u8, n: u64) {
        let m = major << 5;
        match n {
            0..=23 => self.bytes.push(m | n as u8),
            24..=0xff => self.bytes.extend_from_slice(&[m | 24, n as u8]),
            0x100..=0xffff => {
                self.bytes.push(m | 25);
                self.bytes.extend_from_slice(&(n as u16).to_be_bytes());
            }
            0x1_0000..=0xffff_ffff => {
                self.bytes.push(m | 26);
                self.bytes.extend_from_slice(&(n as u32).to_be_bytes());
            }
            _ => {
                self.bytes.push(m | 27);
                self.bytes.extend_from_slice(&n.to_be_bytes());
            }
        }
    }

    pub fn uint(&mut self, n: u64) -> &mut Self {
        self.head(0, n);
        self
    }

    pub fn int(&mut self, n: i64) -> &mut Self {
        match u64::try_from(n) {
            Ok(n) => self.head(0, n),
            Err(_) => self.head(1, !(n as u64)),
        }
        self
    }

    /// A negative integer −1 − `n`, for the values below `i64::MIN`.
    pub(super) fn negative(&mut self, n: u64) {
        self.head(1, n);
    }

    pub fn bytes(&mut self, b: &[u8]) -> &mut Self {
        self.head(2, b.len() as u64);
        self.bytes.extend_from_slice(b);
        self
    }

    pub fn text(&mut self, s: &str) -> &mut Self {
        self.head(3, s.len() as u64);
        self.bytes.extend_from_slice(s.as_bytes());
        self
    }

    pub fn array(&mut self, n: usize) -> &mut Self {
        self.head(4, n as u64);
        self
    }

    /// A map of `n` pairs; the caller writes the keys in the order of their encoded bytes.
    pub fn map(&mut self, n: usize) -> &mut Self {
        self.head(5, n as u64);
        self
    }

    pub fn tag(&mut self, n: u64) -> &mut Self {
        self.head(6, n);
        self
    }

    pub fn bool(&mut self, b: bool) -> &mut Self {
        self.bytes.push(if b { 0xf5 } else { 0xf4 });
        self
    }

    pub fn null(&mut self) -> &mut Self {
        self.bytes.push(0xf6);
        self
    }

    /// An item that is deterministic CBOR already.
    pub fn raw(&mut self, item: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(item);
        self
    }
}
