//! One thing to do, with everything that whoever does it needs, and the sentence about it. It does nothing.

use chain_types::{Genesis, PublicKey, membership::ValidatorKeys};
use operator_api::{Name, Text, ValidatorName, Version};

use crate::{node_config::ConfigText, quorum::Arithmetic, words};

#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Consensus, cosigner, log, peer and gossip keys and the admin token. Never over existing ones.
    CreateNodeKeys {
        node: ValidatorName,
        organisation: Name,
    },
    CreateStewardKey,
    /// Consensus, cosigner and log key that shall take the place of the present ones. Never over such that wait already, and only if
    /// they are still asked for.
    CreateNextKeys {
        node: ValidatorName,
    },
    /// The chain knows the validator by its new keys and it votes with them: the request is answered, and the old keys are deleted.
    EndRotation {
        node: ValidatorName,
    },
    /// Never over an existing one.
    WriteGenesis {
        genesis: Box<Genesis>,
    },
    WriteConfig {
        node: ValidatorName,
        config: ConfigText,
    },
    /// Peers and tokens only; the process goes on.
    ReloadConfig {
        node: ValidatorName,
    },
    /// `attempt` is 0 for a plain start, and counts from 1 after a crash.
    Start {
        node: ValidatorName,
        version: Version,
        attempt: u32,
    },
    /// The process of a validator that should be off has ended: forget how, so that it may be started when it is wanted
    /// again.
    ForgetExit {
        node: ValidatorName,
    },
    /// A validator that has left for good and is off: its folder, keys and data, goes to where a person may remove it.
    SetAside {
        node: ValidatorName,
    },
    /// Compare block 1 on every validator and verify its commit certificate from genesis.
    SelfCheck,

    /// Disruptive: end the process cleanly.
    Stop {
        node: ValidatorName,
        arithmetic: Arithmetic,
    },
    /// Disruptive: end the process and start it as planned.
    Restart {
        node: ValidatorName,
        arithmetic: Arithmetic,
        why: Text,
    },
    /// Disruptive: end all processes together, because the chain should hibernate.
    StopChain {
        nodes: Vec<ValidatorName>,
    },
    /// Disruptive: the steward adds a caught-up observer to the voting set.
    VoteIn {
        node: ValidatorName,
        arithmetic: Arithmetic,
    },
    /// Disruptive: the steward takes a validator out of the voting set.
    VoteOut {
        node: ValidatorName,
        arithmetic: Arithmetic,
    },
    /// Disruptive: the steward gives a validator the keys that it holds ready; it begins anew with them.
    Rotate {
        node: ValidatorName,
        /// The consensus key that it has until then.
        validator: PublicKey,
        keys: ValidatorKeys,
        arithmetic: Arithmetic,
    },

    /// Nothing to do but wait, and why. `refused` marks a wish that is not carried out, rather than one that takes time.
    Wait {
        node: Option<ValidatorName>,
        reason: Text,
        until_ms: Option<u64>,
        refused: bool,
    },
}

impl Action {
    /// It stops a validator or changes the voting set.
    pub fn is_disruptive(&self) -> bool {
        match self {
            Self::Stop { .. }
            | Self::Restart { .. }
            | Self::StopChain { .. }
            | Self::VoteIn { .. }
            | Self::VoteOut { .. }
            | Self::Rotate { .. } => true,
            Self::CreateNodeKeys { .. }
            | Self::CreateStewardKey
            | Self::CreateNextKeys { .. }
            | Self::EndRotation { .. }
            | Self::WriteGenesis { .. }
            | Self::WriteConfig { .. }
            | Self::ReloadConfig { .. }
            | Self::Start { .. }
            | Self::ForgetExit { .. }
            | Self::SetAside { .. }
            | Self::SelfCheck
            | Self::Wait { .. } => false,
        }
    }

    /// Nothing is done.
    pub fn is_wait(&self) -> bool {
        matches!(self, Self::Wait { .. })
    }

    /// For the list of events, and for `operator plan`.
    pub fn sentence(&self) -> Text {
        match self {
            Self::CreateNodeKeys { node, organisation } => Text::new(
                format!("为 {organisation} 生成 {node} 的密钥。"),
                format!("Make the keys of {node} for {organisation}."),
            ),
            Self::CreateNextKeys { node } => Text::new(
                format!("为 {node} 生成新密钥，待其接管。"),
                format!("Make new keys for {node} to take over."),
            ),
            Self::EndRotation { node } => Text::new(
                format!("{node} 已用新密钥投票；旧密钥已删除。"),
                format!("{node} votes with its new keys; the old ones are deleted."),
            ),
            Self::CreateStewardKey => Text::new("生成链管家的密钥。", "Make the steward's key."),
            Self::WriteGenesis { genesis } => {
                let short = genesis.fingerprint().to_string().chars().take(12).collect::<String>();
                Text::new(format!("写入创世文件 {short}…。"), format!("Write genesis {short}…."))
            }
            Self::WriteConfig { node, .. } => {
                Text::new(format!("写入 {node} 的配置。"), format!("Write the configuration of {node}."))
            }
            Self::ReloadConfig { node } => Text::new(
                format!("让 {node} 重新载入节点名单与令牌，不中断运行。"),
                format!("Have {node} reload peers and tokens; it keeps running."),
            ),
            Self::Start { node, version, attempt: 0 } => {
                Text::new(format!("启动 {node}（{version}）。"), format!("Start {node} ({version})."))
            }
            Self::Start { node, version, attempt } => Text::new(
                format!("重新启动 {node}（{version}），第 {attempt} 次尝试。"),
                format!("Start {node} ({version}) again, attempt {attempt}."),
            ),
            Self::ForgetExit { node } => Text::new(
                format!("{node} 已停止，清除其退出记录。"),
                format!("{node} is off; forget how its process ended."),
            ),
            Self::SetAside { node } => Text::new(
                format!("{node} 已退出并停止；其密钥与数据移到旁边保留，由人工删除。"),
                format!("{node} has left and is off; its keys and data are set aside until a person removes them."),
            ),
            Self::SelfCheck => Text::new(
                "自检：核对各验证者的首个区块及其提交证书。",
                "Self-check: compare the first block on every validator and verify its commit certificate.",
            ),
            Self::VoteIn { arithmetic, .. } | Self::VoteOut { arithmetic, .. } | Self::Rotate { arithmetic, .. } => {
                arithmetic.sentence()
            }
            Self::Stop { node, arithmetic } => cost(*node, arithmetic),
            Self::Restart { node, arithmetic, why } => why.clone().then(&cost(*node, arithmetic)),
            Self::StopChain { nodes } => {
                let names = words::list(nodes);
                Text::new(
                    format!("休眠：没有待处理的交易，一起停止 {}；数据保留，唤醒后继续。", names.zh),
                    format!("Hibernate: nothing is pending, so {} stop together; the data stays.", names.en),
                )
            }
            Self::Wait { reason, .. } => reason.clone(),
        }
    }
}

/// The arithmetic; or, where there is no quorum to lose, that this takes nothing from it.
fn cost(node: ValidatorName, arithmetic: &Arithmetic) -> Text {
    if arithmetic.holds() {
        return arithmetic.sentence();
    }
    Text::new(
        format!("{node} 目前没有参与投票，因此不影响法定数。"),
        format!("{node} takes no part in voting now, so the quorum loses nothing."),
    )
}
