//! What a chain was founded with. Genesis is written once; where its ConfigMap is gone although the chain has volumes, it is taken back
//! from a node that still has it, or nothing is done: another genesis would be another chain on the same volumes.

use chain_client::Node;
use chain_types::Genesis;
use operator_api::{Text, ValidatorName};

use super::{
    facts::Facts,
    resources::{Place, config_map},
};
use crate::{context::Context, objects::Child};

#[derive(Clone, Debug, PartialEq)]
pub enum Foundation {
    /// Not founded yet.
    None,
    Founded(Box<Genesis>),
    /// It was founded, and with what is not here. The fingerprint, if the status still has it.
    Lost(Option<String>),
}

impl Foundation {
    /// From the children and the fingerprint that the status reported last.
    pub fn of(facts: &Facts, reported: Option<&str>) -> Self {
        match &facts.genesis {
            Some(genesis) => Self::Founded(Box::new(genesis.clone())),
            // A fingerprint without a volume is a draft's: no validator has ever started.
            None if facts.validators.values().all(|validator| validator.volume.is_none()) => Self::None,
            None => Self::Lost(reported.map(str::to_owned)),
        }
    }

    pub fn genesis(&self) -> Option<&Genesis> {
        match self {
            Self::Founded(genesis) => Some(genesis),
            Self::None | Self::Lost(_) => None,
        }
    }

    /// Asks the running nodes for what was lost. Only what has the reported fingerprint counts.
    pub async fn recovered(self, context: &Context, place: &Place, facts: &Facts) -> Self {
        let Self::Lost(Some(fingerprint)) = &self else { return self };
        let running = facts.validators.iter().filter(|(_, validator)| validator.pod.is_some());
        for (name, _) in running {
            if let Some(genesis) = ask(context, place, *name, fingerprint).await {
                return Self::Founded(Box::new(genesis));
            }
        }
        self
    }

    /// What a person has to do.
    pub fn problem(&self, place: &Place) -> Option<Text> {
        let Self::Lost(_) = self else { return None };
        let chain = &place.chain;
        Some(Text::new(
            format!(
                "ConfigMap {chain}-genesis 不见了，而链的数据卷还在，也没有节点能给出创世文件；请从备份恢复它，不会另建新链。"
            ),
            format!(
                "The ConfigMap {chain}-genesis is gone although the chain's volumes are here, and no node can give genesis back: restore it \
                 from a backup; no new chain is founded over an old one."
            ),
        ))
    }
}

/// Writes a genesis that was recovered where it was. Whether it could be: the next look tries again.
pub async fn put_back(context: &Context, place: &Place, genesis: &Genesis) -> bool {
    let restored = async {
        let child = Child::of(&config_map::genesis(place, genesis)?)?;
        child.apply(&context.client).await.map_err(anyhow::Error::from)
    };
    match restored.await {
        Ok(_) => true,
        Err(error) => {
            tracing::warn!(chain = %place.chain, "genesis couldn't be restored: {error:#}");
            false
        }
    }
}

async fn ask(context: &Context, place: &Place, name: ValidatorName, fingerprint: &str) -> Option<Genesis> {
    let base = context.config.node_api(&place.tenant, &place.chain, name);
    let genesis = Node::at(&context.http, &base).genesis().await.ok()?;
    (genesis.check().is_ok() && genesis.fingerprint().to_string() == fingerprint).then_some(genesis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::facts::{ValidatorFacts, VolumeFacts};

    #[test]
    fn a_chain_with_volumes_is_never_founded_anew() {
        let mut facts = Facts::default();
        assert_eq!(Foundation::of(&facts, Some("ab")), Foundation::None, "a draft's fingerprint");
        let validator = ValidatorFacts { volume: Some(VolumeFacts::default()), ..ValidatorFacts::default() };
        facts.validators.insert(ValidatorName::numbered(1).unwrap(), validator);
        assert_eq!(Foundation::of(&facts, Some("ab")), Foundation::Lost(Some("ab".into())));
        assert_eq!(Foundation::of(&facts, None), Foundation::Lost(None));
    }
}
