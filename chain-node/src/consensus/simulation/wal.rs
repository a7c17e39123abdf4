//! The engine's write-ahead log as a crash leaves it: what was flushed is there, of the rest some.

use arc_malachitebft_core_consensus::Input;

use super::super::context::ChainContext;
use super::random::Random;

#[derive(Default)]
pub struct Wal {
    height: u64,
    flushed: Vec<Input<ChainContext>>,
    buffered: Vec<Input<ChainContext>>,
}

impl Wal {
    /// What an earlier run logged of this height; a log of another height is started anew.
    pub fn start(&mut self, height: u64) -> Vec<Input<ChainContext>> {
        if self.height != height {
            *self = Self { height, ..Self::default() };
        }
        self.flushed.clone()
    }

    pub fn append(&mut self, height: u64, entry: Input<ChainContext>) {
        if height == self.height {
            self.buffered.push(entry);
        }
    }

    pub fn flush(&mut self) {
        self.flushed.append(&mut self.buffered);
    }

    /// The system may have written some of what was not flushed.
    pub fn crash(&mut self, random: &mut Random) {
        let kept = random.index(self.buffered.len() + 1);
        self.buffered.truncate(kept);
        self.flush();
    }

    pub fn forget(&mut self) {
        *self = Self::default();
    }
}
