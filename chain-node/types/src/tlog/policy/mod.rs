//! Trust policies (C2SP tlog-policy): which logs are known, and which cosigners together make a checkpoint believable.

mod parse;

use std::collections::HashMap;

use crate::genesis::Genesis;
use crate::validator::ValidatorSet;

use super::checkpoint::{SignedCheckpoint, verify_cosignature, verify_log};
use super::names::{cosigner_vkey, log_vkey};
use super::note::{NoteSignature, VerifierKey};

/// Logs, witnesses and groups of one policy; the standard asks for at least 32 of each.
const MAX_PARTS: usize = 256;
const GROUP: &str = "validators";

/// Why a policy cannot be used, or does not accept a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    #[error("line {0} of the policy is not a log, witness, group or quorum of tlog-policy")]
    Line(usize),
    #[error("line {0} of the policy names something twice")]
    Twice(usize),
    #[error("line {0} of the policy names something that no line before it defines")]
    Unknown(usize),
    #[error("the policy has no quorum line")]
    NoQuorum,
    #[error("the validators' powers differ, which a policy cannot express")]
    Powers,
    #[error("the checkpoint is of log `{0}`, which the policy does not name")]
    Log(String),
    #[error("none of the policy's keys signed the checkpoint as its log")]
    NotSigned,
    #[error("the signature of `{0}` does not verify")]
    Signature(String),
    #[error("{0} of the policy's witnesses cosigned; its quorum asks for more")]
    Quorum(usize),
}

/// At least `threshold` of the members, each a witness or another group.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    name: String,
    threshold: usize,
    members: Vec<String>,
}

/// A parsed policy: every name is defined before it is used, each is a member at most once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<VerifierKey>,
    witnesses: Vec<(String, VerifierKey)>,
    groups: Vec<Group>,
    /// `None` is the quorum `none`.
    quorum: Option<String>,
}

/// What a policy found in a checkpoint that it accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Names of the witnesses whose cosignatures verified.
    pub cosigners: Vec<String>,
    /// The latest of their times, in seconds since 1970; none if nobody had to cosign.
    pub newest_s: Option<u64>,
}

impl Policy {
    /// The policy of a validator set: any of their log keys, and more than two thirds of their cosigners. Fails if
    /// their powers differ.
    pub fn of_validators(genesis: &Genesis, set: &ValidatorSet) -> Result<Self, PolicyError> {
        let validators = set.validators();
        if validators.is_empty() || validators.windows(2).any(|w| matches!(w, [a, b] if a.power != b.power)) {
            return Err(PolicyError::Powers);
        }
        let names: Vec<String> = (1..=validators.len()).map(|n| format!("v{n}")).collect();
        let witnesses = names.iter().cloned().zip(validators.iter().map(|v| cosigner_vkey(genesis, v))).collect();
        let threshold = validators.len() * 2 / 3 + 1;
        Ok(Self {
            logs: validators.iter().map(|v| log_vkey(genesis, v)).collect(),
            witnesses,
            groups: vec![Group { name: GROUP.into(), threshold, members: names }],
            quorum: Some(GROUP.into()),
        })
    }

    /// The same quorum for one log key only; none if the policy does not list the key.
    pub fn for_log(mut self, key_id: [u8; 4]) -> Option<Self> {
        self.logs.retain(|log| log.id() == key_id);
        (!self.logs.is_empty()).then_some(self)
    }

    /// Reads a policy. Fails with the line that is wrong.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        parse::policy(text)
    }

    /// The policy as a file.
    pub fn to_text(&self) -> String {
        let logs = self.logs.iter().map(|key| format!("log {key}\n"));
        let witnesses = self.witnesses.iter().map(|(name, key)| format!("witness {name} {key}\n"));
        let groups = self.groups.iter().map(|g| format!("group {} {} {}\n", g.name, g.threshold, g.members.join(" ")));
        let quorum = format!("quorum {}\n", self.quorum.as_deref().unwrap_or("none"));
        logs.chain(witnesses).chain(groups).chain([quorum]).collect()
    }

    /// Accepts a checkpoint that one of the logs signed and a quorum of witnesses cosigned.
    ///
    /// Signatures of unknown keys are ignored, as the standard demands; one bad signature of a known key refuses the
    /// whole note. The checks are linear in the signatures and keys.
    pub fn check(&self, signed: &SignedCheckpoint) -> Result<Accepted, PolicyError> {
        let checkpoint = &signed.checkpoint;
        if !self.logs.iter().any(|log| log.name == checkpoint.origin) {
            return Err(PolicyError::Log(checkpoint.origin.clone()));
        }
        let (mut logged, mut cosigned, mut newest_s) = (false, HashMap::new(), None);
        for line in &signed.signatures {
            let bad = || PolicyError::Signature(line.name.clone());
            if let Some(log) = self.logs.iter().find(|log| log.made(line)) {
                if !verify_log(log, checkpoint, &line.signature) {
                    return Err(bad());
                }
                logged = true;
            }
            if let Some((name, key)) = self.witnesses.iter().find(|(_, key)| key.made(line)) {
                let time_s = verify_cosignature(key, checkpoint, &line.signature).ok_or_else(bad)?;
                newest_s = newest_s.max(Some(time_s));
                cosigned.insert(name.as_str(), key.name.clone());
            }
        }
        if !logged {
            return Err(PolicyError::NotSigned);
        }
        if !self.is_quorum(|name| cosigned.contains_key(name)) {
            return Err(PolicyError::Quorum(cosigned.len()));
        }
        let mut cosigners: Vec<String> = cosigned.into_values().collect();
        cosigners.sort_unstable();
        Ok(Accepted { cosigners, newest_s })
    }

    /// Whether a signature line is by one of the policy's keys; says nothing about whether it verifies.
    pub fn names(&self, line: &NoteSignature) -> bool {
        self.logs.iter().chain(self.witnesses.iter().map(|(_, key)| key)).any(|key| key.made(line))
    }

    /// Groups are decided in the order of their lines: a group names only what stands before it.
    fn is_quorum(&self, cosigned: impl Fn(&str) -> bool) -> bool {
        let Some(quorum) = &self.quorum else { return true };
        let mut decided: HashMap<&str, bool> =
            self.witnesses.iter().map(|(name, _)| (name.as_str(), cosigned(name))).collect();
        for group in &self.groups {
            let present = group.members.iter().filter(|m| decided.get(m.as_str()) == Some(&true)).count();
            decided.insert(&group.name, present >= group.threshold);
        }
        decided.get(quorum.as_str()) == Some(&true)
    }
}
