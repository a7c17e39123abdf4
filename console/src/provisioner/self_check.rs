//! The self-check of a new chain: the first block is the same on every validator, and a quorum of the validators that genesis names has
//! signed it. Done with the node's public reads, from genesis alone, as a stranger would.

use super::hands::Hands;
use crate::time::now_ms;
use chain_plan::{Plan, SelfCheck};
use chain_types::encoding::Decode;
use chain_types::{BlockId, CommitCertificate, Header};
use operator_api::{Text, ValidatorName, ValidatorState};
use std::time::Duration;

impl Hands {
    pub async fn check_itself(&mut self, plan: &Plan) -> SelfCheck {
        let result = self.first_block(plan).await;
        let at_ms = now_ms().unsigned_abs();
        match result {
            Ok(detail) => SelfCheck { passed: true, at_ms, detail: Some(detail) },
            Err(detail) => SelfCheck { passed: false, at_ms, detail: Some(detail) },
        }
    }

    async fn first_block(&mut self, plan: &Plan) -> Result<Text, Text> {
        let genesis =
            self.founded().cloned().ok_or_else(|| Text::new("找不到创世文件。", "The genesis file is not there."))?;
        let nodes: Vec<ValidatorName> = plan
            .nodes
            .iter()
            .filter(|node| node.desired == ValidatorState::Running && node.in_genesis)
            .map(|node| node.name)
            .collect();
        let mut first: Option<BlockId> = None;
        let mut fewest = usize::MAX;
        for node in &nodes {
            let header = Header::from_bytes(&self.read(*node, "/blocks/1/header").await?)
                .map_err(|error| unfit(*node, &error))?;
            let certificate = CommitCertificate::from_bytes(&self.read(*node, "/blocks/1/certificate").await?)
                .map_err(|error| unfit(*node, &error))?;
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
        let (count, all) = (nodes.len(), genesis.validators.len());
        Ok(Text::new(
            format!("{count} 个验证者的首个区块一致；提交证书由创世文件中 {all} 个验证者里的至少 {fewest} 个签署。"),
            format!(
                "The first block is the same on {count} validators; at least {fewest} of the {all} that genesis names signed it."
            ),
        ))
    }

    async fn read(&self, node: ValidatorName, path: &str) -> Result<Vec<u8>, Text> {
        let url = format!("http://{}{path}", self.addresses().api(node));
        let get = async {
            let response = self.app.http.get(url).timeout(Duration::from_secs(3)).send().await?.error_for_status()?;
            response.bytes().await
        };
        let bytes = get.await.map_err(|error| unfit(node, &error.without_url()))?;
        Ok(bytes.to_vec())
    }
}

fn unfit(node: ValidatorName, error: &dyn std::fmt::Display) -> Text {
    Text::new(
        format!("{node} 的首个区块无法核对：{error}。"),
        format!("The first block on {node} cannot be checked: {error}."),
    )
}
