//! What the way a node ended says about starting it again, and how long to wait before that. One table, shared by the
//! decision ([`crate::next()`]) and by the words about it ([`crate::health()`]).

use operator_api::Text;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// Nobody was there to see it.
    Unseen,
}

/// `chain-node` ends with these codes; everything else is a crash.
pub mod code {
    /// Less free space than the reserve: it stopped before its log could fail.
    pub const DISK_FULL: i32 = 20;
    /// A foreign vote of its own key was seen: the same identity runs elsewhere.
    pub const DUPLICATE_IDENTITY: i32 = 21;
    /// The store is damaged; `chain-node check` says where.
    pub const STORE_DAMAGED: i32 = 22;
    /// The store was made by a newer version.
    pub const STORE_NEWER: i32 = 23;
    /// The configuration or genesis is not accepted.
    pub const CONFIGURATION: i32 = 24;
    /// The disk takes no writes: it failed, or turned read-only.
    pub const DISK_FAILED: i32 = 25;
}

/// What an exit asks of a supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Start it again, with growing pauses.
    Crash,
    /// Start it again once there is space.
    DiskFull,
    /// Starting it again would do harm or fail the same way: a person decides.
    Person(Why),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    DuplicateIdentity,
    StoreDamaged,
    StoreNewer,
    Configuration,
    DiskFailed,
}

impl Exit {
    pub fn meaning(self) -> Meaning {
        match self {
            Self::Code(code::DISK_FULL) => Meaning::DiskFull,
            Self::Code(code::DUPLICATE_IDENTITY) => Meaning::Person(Why::DuplicateIdentity),
            Self::Code(code::STORE_DAMAGED) => Meaning::Person(Why::StoreDamaged),
            Self::Code(code::STORE_NEWER) => Meaning::Person(Why::StoreNewer),
            Self::Code(code::CONFIGURATION) => Meaning::Person(Why::Configuration),
            Self::Code(code::DISK_FAILED) => Meaning::Person(Why::DiskFailed),
            Self::Code(_) | Self::Signal(_) | Self::Unseen => Meaning::Crash,
        }
    }

    /// "its process ended with code 3".
    pub fn text(self) -> Text {
        match self {
            Self::Code(code) => {
                Text::new(format!("进程以代码 {code} 退出"), format!("its process ended with code {code}"))
            }
            Self::Signal(signal) => {
                Text::new(format!("进程被信号 {signal} 终止"), format!("its process was ended by signal {signal}"))
            }
            Self::Unseen => Text::new("进程已不在", "its process is gone"),
        }
    }
}

impl Why {
    /// What a person has to do, as a part of a sentence.
    pub fn text(self) -> Text {
        match self {
            Self::DuplicateIdentity => Text::new(
                "发现同一身份在别处投票，为避免双签不再自动启动；请找到并停掉另一份，再重新启用",
                "the same identity votes elsewhere, so it is not started again; find and stop the other copy, then start it",
            ),
            Self::StoreDamaged => Text::new(
                "存储已损坏，不再自动启动；请用 chain-node check 查看，再从其他验证者重新同步",
                "its store is damaged, so it is not started again; look with `chain-node check`, then resync it",
            ),
            Self::StoreNewer => Text::new(
                "存储由更新的版本写成，不再自动启动；请把链的版本改回较新的版本",
                "its store was written by a newer version, so it is not started again; set the chain's version to the newer one",
            ),
            Self::Configuration => Text::new(
                "节点不接受其配置，不再自动启动；请查看该节点日志的最后一行",
                "it does not accept its configuration, so it is not started again; read the last line of its log",
            ),
            Self::DiskFailed => Text::new(
                "磁盘无法写入（故障或变为只读），不再自动启动；请修复磁盘，再重新启用",
                "its disk cannot be written to, so it is not started again; mend the disk, then start it",
            ),
        }
    }
}

/// How long to wait after the end of a process before starting it again: at once the first time, then 1 s, 2 s, 4 s … up to
/// a minute.
pub fn back_off_ms(restarts: u32) -> u64 {
    match restarts {
        0 => 0,
        n => 1_000u64.checked_shl(n.saturating_sub(1).min(6)).unwrap_or(60_000).min(60_000),
    }
}

/// A process that ran so long was well.
pub const WELL_AFTER_MS: u64 = 60_000;

/// The new count of restarts when a process ends after `ran_ms`: one that was well starts from nothing.
pub fn restarts_after(restarts: u32, ran_ms: u64) -> u32 {
    if ran_ms >= WELL_AFTER_MS { 0 } else { restarts.saturating_add(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_minute_and_no_further() {
        let pauses: Vec<u64> = (0..9).map(back_off_ms).collect();
        assert_eq!(pauses, [0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
        assert_eq!(back_off_ms(u32::MAX), 60_000);
    }

    #[test]
    fn a_process_that_ran_well_is_restarted_at_once() {
        assert_eq!((restarts_after(5, 59_999), restarts_after(5, 60_000)), (6, 0));
    }
}
