//! What goes wrong in a run: drawn from the seed before the run starts, printed when the run fails.

use super::random::Random;

/// Until here everything may fail; from here on only the byzantine ones go on.
pub const HEAL_US: u64 = 15_000_000;

/// A link that is cut, one way, for a time.
#[derive(Debug, Clone)]
pub struct Cut {
    pub from_us: u64,
    pub to_us: u64,
    pub links: Vec<(usize, usize)>,
}

#[derive(Debug, Clone)]
pub struct Crash {
    pub node: usize,
    pub at_us: u64,
    /// The process dies after so many more steps, in the middle of whatever it is doing then.
    pub steps: u64,
    pub down_us: u64,
}

/// What a byzantine validator does. All of them sign validly with their own key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evil {
    /// Two blocks in one turn, one for each half of the others.
    TwoBlocks,
    /// Another vote for some of the others.
    TwoVotes,
    /// A block that breaks one rule of headers or transactions, and votes for it.
    InvalidBlock,
    /// A block from an hour ahead, streamed as if an earlier round had voted for it.
    FutureBlock,
    /// Parts of a block that never come.
    WithheldParts,
    /// Bytes without meaning, forged votes, votes of far rounds, heights and blocks that do not exist.
    Junk,
    /// It restarts without its write-ahead log.
    Amnesia,
}

const EVILS: [Evil; 7] = [
    Evil::TwoBlocks,
    Evil::TwoVotes,
    Evil::InvalidBlock,
    Evil::FutureBlock,
    Evil::WithheldParts,
    Evil::Junk,
    Evil::Amnesia,
];

#[derive(Debug, Clone)]
pub struct Faults {
    pub validators: usize,
    /// Fastest way of a message, and how much may come on top.
    pub delay_us: (u64, u64),
    pub loss_percent: u64,
    pub twice_percent: u64,
    /// So many messages take up to a second longer, and arrive behind later ones.
    pub late_percent: u64,
    pub skew_ms: Vec<i64>,
    pub cuts: Vec<Cut>,
    pub crashes: Vec<Crash>,
    /// Which validators are byzantine, at most a third, and what they do.
    pub byzantine: Vec<(usize, Vec<Evil>)>,
    pub transactions: u64,
}

impl Faults {
    pub fn draw(random: &mut Random) -> Self {
        let validators = if random.chance(85) { 4 } else { 7 };
        let mut faults = Self {
            validators,
            delay_us: if random.chance(80) { (500, random.between(1_000, 30_000)) } else { (50_000, 250_000) },
            loss_percent: if random.chance(60) { random.below(16) } else { 0 },
            twice_percent: random.below(12),
            late_percent: random.below(6),
            skew_ms: (0..validators).map(|_| random.between(0, 600) as i64 - 300).collect(),
            cuts: Vec::new(),
            crashes: Vec::new(),
            byzantine: Vec::new(),
            transactions: random.between(10, 40),
        };
        faults.draw_byzantine(random);
        faults.draw_cuts(random);
        faults.draw_crashes(random);
        // One clock far off counts as one more faulty node.
        if faults.byzantine.is_empty() && random.chance(25) {
            let node = random.index(validators);
            let off = random.between(1_500, 6_000) as i64;
            faults.skew_ms[node] = if random.chance(50) { off } else { -off };
        }
        faults
    }

    fn draw_byzantine(&mut self, random: &mut Random) {
        if !random.chance(50) {
            return;
        }
        let many = random.between(1, (self.validators as u64 - 1) / 3);
        for _ in 0..many {
            let node = random.index(self.validators);
            if self.is_byzantine(node) {
                continue;
            }
            let mut evils: Vec<_> = EVILS.into_iter().filter(|_| random.chance(25)).collect();
            if evils.is_empty() {
                evils.push(EVILS[random.index(EVILS.len())]);
            }
            self.byzantine.push((node, evils));
        }
    }

    fn draw_cuts(&mut self, random: &mut Random) {
        let mut at_us = random.below(3_000_000);
        // Flapping is many short ones.
        let longest = if random.chance(30) { 600_000 } else { 6_000_000 };
        while at_us < HEAL_US && random.chance(85) {
            let to_us = (at_us + random.between(50_000, longest)).min(HEAL_US);
            let one_way = random.chance(25);
            let side = random.below(1 << self.validators);
            let is_in = |n: usize| side >> n & 1 == 1;
            let pairs = (0..self.validators).flat_map(|a| (0..self.validators).map(move |b| (a, b)));
            let links = pairs.filter(|(a, b)| is_in(*a) != is_in(*b) && (!one_way || is_in(*a))).collect();
            self.cuts.push(Cut { from_us: at_us, to_us, links });
            at_us = to_us + random.below(2_000_000);
        }
    }

    fn draw_crashes(&mut self, random: &mut Random) {
        let crash = |node, at_us, random: &mut Random| {
            let (steps, down_us) = (random.below(60), random.between(20_000, 5_000_000));
            Crash { node, at_us, steps, down_us }
        };
        for _ in 0..random.below(6) {
            let (node, at_us) = (random.index(self.validators), random.below(HEAL_US - 6_000_000));
            self.crashes.push(crash(node, at_us, random));
        }
        // A power cut takes all of them in the middle of something.
        if random.chance(30) {
            let at_us = random.below(HEAL_US - 6_000_000);
            for node in 0..self.validators {
                self.crashes.push(crash(node, at_us, random));
            }
        }
    }

    pub fn is_byzantine(&self, node: usize) -> bool {
        self.byzantine.iter().any(|(n, _)| *n == node)
    }

    pub fn is_cut(&self, from: usize, to: usize, now_us: u64) -> bool {
        let mut active = self.cuts.iter().filter(|cut| (cut.from_us..cut.to_us).contains(&now_us));
        active.any(|cut| cut.links.contains(&(from, to)))
    }
}
