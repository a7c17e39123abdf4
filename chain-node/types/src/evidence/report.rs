//! The verdict on a package: every check by name, what it shows and what it does not.

use serde::{Deserialize, Serialize};

use crate::bytes::{Fingerprint, Hash, PublicKey, TxId};
use crate::genesis::Governance;
use crate::{Account, Genesis};

/// The checks, in the order in which they are made and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckName {
    Format,
    Genesis,
    Validators,
    Certificate,
    Header,
    Path,
    Signature,
    Account,
    File,
    History,
    Cosignatures,
    /// From here on, of the package around the core alone.
    Package,
    Policy,
    Receipt,
    Reports,
    Provenance,
}

impl CheckName {
    /// Those of `evidence.cbor`.
    pub const ALL: [Self; 11] = [
        Self::Format,
        Self::Genesis,
        Self::Validators,
        Self::Certificate,
        Self::Header,
        Self::Path,
        Self::Signature,
        Self::Account,
        Self::File,
        Self::History,
        Self::Cosignatures,
    ];
    /// Those that a package (`.evp`) adds: the first stands before the core's, the others behind.
    pub const OF_PACKAGE: [Self; 5] = [Self::Package, Self::Policy, Self::Receipt, Self::Reports, Self::Provenance];

    /// The name as programs print it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Genesis => "genesis",
            Self::Validators => "validators",
            Self::Certificate => "certificate",
            Self::Header => "header",
            Self::Path => "path",
            Self::Signature => "signature",
            Self::Account => "account",
            Self::File => "file",
            Self::History => "history",
            Self::Cosignatures => "cosignatures",
            Self::Package => "package",
            Self::Policy => "policy",
            Self::Receipt => "receipt",
            Self::Reports => "reports",
            Self::Provenance => "provenance",
        }
    }

    /// What a pass shows, and what it does not: `(zh, en)`.
    pub fn meaning(self) -> (&'static str, &'static str) {
        match self {
            Self::Format => ("证据包格式完整、只有一种编码", "the package is whole and in its only byte form"),
            Self::Genesis => (
                "证据属于你信任的那条链；指纹须从别处获得",
                "it is about the chain you trust; get the fingerprint from elsewhere",
            ),
            Self::Validators => {
                ("验证者集合由创世逐次推出", "the validator set follows from genesis, change by change")
            }
            Self::Certificate => {
                ("超过三分之二的验证者签署了该区块", "more than two thirds of the validators signed the block")
            }
            Self::Header => ("记录的区块由被签署的区块头锁定", "the record's block is locked in by the signed header"),
            Self::Path => (
                "记录在链上，此后未改；不证明上链之前为真",
                "the record is on the chain, unchanged since; not that it was true before",
            ),
            Self::Signature => ("内容由该账户签署", "the content was signed by this account"),
            Self::Account => ("签署账户当时属于该机构", "the account belonged to this organisation then"),
            Self::File => ("原文件与链上指纹一致", "the original file matches the digest on the chain"),
            Self::History => (
                "历史未被退役密钥重写（需城市主链见证）",
                "history was not rewritten with retired keys (needs the city chain's witness)",
            ),
            Self::Cosignatures => ("日志检查点另有独立共签", "the log's checkpoint is cosigned independently"),
            Self::Package => (
                "证据包文件完整，成员只有一种写法",
                "the file is whole; its members stand in the one form of a package",
            ),
            Self::Policy => (
                "供其他验证程序使用的策略由验证者集合推出",
                "the policy for other verifiers follows from the validator set",
            ),
            Self::Receipt => ("登记的声明有日志密钥签发的回执", "the registered statement has a receipt by a log key"),
            Self::Reports => ("报告与证据所述一致", "the reports say what the evidence says"),
            Self::Provenance => {
                ("制作者自述，不作证明", "who made the package is the maker's own word, and proves nothing")
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Pass,
    /// With the reason.
    Fail(String),
    /// With the reason.
    NotApplicable(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    pub name: CheckName,
    pub outcome: Outcome,
    /// What was found, for people.
    pub detail: String,
}

/// All checks and the facts that they establish. Facts are set only by a check that passed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub checks: Vec<Check>,
    pub chain_id: Option<String>,
    pub fingerprint: Option<Fingerprint>,
    pub governance: Option<Governance>,
    pub height: Option<u64>,
    pub time_ms: Option<u64>,
    /// Place in the log.
    pub index: Option<u64>,
    pub tx: Option<TxId>,
    pub digest: Option<Hash>,
    pub signer: Option<PublicKey>,
    pub account: Option<Account>,
}

impl Report {
    /// No check failed. Checks that do not apply do not fail.
    pub fn is_valid(&self) -> bool {
        !self.checks.is_empty() && !self.checks.iter().any(|c| matches!(c.outcome, Outcome::Fail(_)))
    }

    /// Whether a check passed.
    pub fn passed(&self, name: CheckName) -> bool {
        self.checks.iter().any(|c| c.name == name && c.outcome == Outcome::Pass)
    }

    /// The checks that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|c| matches!(c.outcome, Outcome::Fail(_)))
    }

    pub(super) fn add(&mut self, name: CheckName, result: Result<String, String>) -> bool {
        let (outcome, detail) = match result {
            Ok(detail) => (Outcome::Pass, detail),
            Err(reason) => (Outcome::Fail(reason.clone()), reason),
        };
        let passed = outcome == Outcome::Pass;
        self.checks.push(Check { name, outcome, detail });
        passed
    }

    pub(super) fn skip(&mut self, name: CheckName, reason: &str) {
        let (outcome, detail) = (Outcome::NotApplicable(reason.to_owned()), reason.to_owned());
        self.checks.push(Check { name, outcome, detail });
    }

    pub(super) fn learn_genesis(&mut self, genesis: &Genesis) {
        self.chain_id = Some(genesis.chain_id.clone());
        self.governance = Some(genesis.governance);
    }
}
