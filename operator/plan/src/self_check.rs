//! The self-check of a new chain: the first block is the same on every validator, and a quorum of the validators that genesis names has
//! signed it. From genesis and the nodes' public answers alone, as a stranger would check; whoever asks the nodes hands the answers in.

use chain_types::{BlockId, CommitCertificate, Genesis, Header, encoding::Decode};
use operator_api::{Text, ValidatorName, ValidatorState};

use crate::{Plan, SelfCheck};

/// What one node says of block 1, as bytes, or why it does not say it.
pub struct FirstBlock {
    pub node: ValidatorName,
    /// Header and commit certificate.
    pub answer: Result<(Vec<u8>, Vec<u8>), String>,
}

/// Whom to ask: every founder that should run.
pub fn founders(plan: &Plan) -> Vec<ValidatorName> {
    let asked = plan.nodes.iter().filter(|node| node.desired == ValidatorState::Running && node.in_genesis);
    asked.map(|node| node.name).collect()
}

/// The judgement on all answers; `founded` is `None` if genesis is not there to be checked against.
pub fn self_check(founded: Option<&Genesis>, answers: &[FirstBlock], at_ms: u64) -> SelfCheck {
    let judged = match founded {
        Some(genesis) => judge(genesis, answers),
        None => Err(Text::new("找不到创世文件。", "The genesis file is not there.")),
    };
    match judged {
        Ok(detail) => SelfCheck { passed: true, at_ms, detail: Some(detail) },
        Err(detail) => SelfCheck { passed: false, at_ms, detail: Some(detail) },
    }
}

fn judge(genesis: &Genesis, answers: &[FirstBlock]) -> Result<Text, Text> {
    let mut first: Option<BlockId> = None;
    let mut fewest = usize::MAX;
    for FirstBlock { node, answer } in answers {
        let (header, certificate) = answer.as_ref().map_err(|reason| unfit(*node, reason))?;
        let header = Header::from_bytes(header).map_err(|error| unfit(*node, &error))?;
        let certificate = CommitCertificate::from_bytes(certificate).map_err(|error| unfit(*node, &error))?;
        let id = header.id();
        if header.fingerprint != genesis.fingerprint() || *first.get_or_insert(id) != id {
            return Err(Text::new(
                format!("{node} 的首个区块与其他验证者不同。"),
                format!("The first block on {node} is not that of the others."),
            ));
        }
        let verified = certificate.verify(genesis.fingerprint(), 1, id, &genesis.validator_set());
        verified.map_err(|error| unfit(*node, &error))?;
        fewest = fewest.min(certificate.signatures.len());
    }
    let (count, all) = (answers.len(), genesis.validators.len());
    if count == 0 {
        return Err(Text::new("没有验证者可供核对。", "There is no validator to compare."));
    }
    Ok(Text::new(
        format!("{count} 个验证者的首个区块一致；提交证书由创世文件中 {all} 个验证者里的至少 {fewest} 个签署。"),
        format!(
            "The first block is the same on {count} validators; at least {fewest} of the {all} that genesis names signed it."
        ),
    ))
}

fn unfit(node: ValidatorName, error: &dyn std::fmt::Display) -> Text {
    Text::new(
        format!("{node} 的首个区块无法核对：{error}。"),
        format!("The first block on {node} cannot be checked: {error}."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{NOW_MS, founded, spec, v};

    #[test]
    fn whoever_cannot_be_asked_or_answers_nonsense_fails_the_check_by_name() {
        let plan = founded(&spec(4));
        let genesis = plan.genesis.genesis();
        assert_eq!(founders(&plan).len(), 4);
        for (answer, said) in [
            (Err("connection refused".to_owned()), "validator-2 cannot be checked: connection refused"),
            (Ok((vec![0xff], vec![])), "validator-2 cannot be checked"),
        ] {
            let check = self_check(genesis, &[FirstBlock { node: v(2), answer }], NOW_MS);
            assert!(!check.passed && check.detail.unwrap().en.contains(said));
        }
        assert!(!self_check(genesis, &[], NOW_MS).passed, "nobody asked proves nothing");
        assert!(!self_check(None, &[], NOW_MS).passed);
    }
}
