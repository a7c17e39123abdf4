//! Whether what a drill restored is the chain that runs: the header after the backup's last block, as several validators
//! certify it, names the state, the log and the block that were restored.
//!
//! The drill has executed every block again and checked every certificate, so a backup that passed it is *a* history of this
//! genesis; that it is *the* history is what the others say.

use chain_client::{Client, Error, node::endpoints};
use chain_types::{Fingerprint, Header, api::BackedUp};
use operator_api::{Chain, ValidatorRow};

use crate::{
    chain::{keys, resources::Place},
    context::Context,
};

/// One validator's word is carried by a certificate of a quorum; two are asked so that a fork of them would show.
const ASKED_AT_LEAST: usize = 2;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// So many validators certify it.
    Agrees {
        validators: u32,
    },
    Differs {
        reason: String,
    },
    /// It cannot be told yet.
    NotYet {
        why: String,
    },
}

/// Asks the chain's ready validators.
pub async fn compare(context: &Context, chain: &Chain, done: &BackedUp) -> anyhow::Result<Verdict> {
    let status = chain.status.clone().unwrap_or_default();
    let Some(fingerprint) = status.fingerprint.as_deref().and_then(|text| text.parse::<Fingerprint>().ok()) else {
        return Ok(Verdict::NotYet { why: "the chain has no genesis yet".to_owned() });
    };
    if fingerprint != done.fingerprint {
        let reason = format!("the backup is of chain {}, and {fingerprint} runs under this name", done.fingerprint);
        return Ok(Verdict::Differs { reason });
    }
    let place = Place::of(&chain.spec.tenant, &chain.metadata);
    // For a block at once, where the chain has had nothing to do since.
    let token = keys::member_token(&context.client, &place).await?.map(|token| token.as_str().to_owned());
    let (mut headers, mut missing) = (Vec::new(), Vec::new());
    for ValidatorRow { name, .. } in status.validators.iter().filter(|row| row.ready && row.voting) {
        let base = context.config.node_api(&place.tenant, &place.chain, *name);
        let client = Client::new(endpoints([base.as_str()]), fingerprint, token.clone())?;
        match client.header(done.height.saturating_add(1)).await {
            Ok((header, _)) => headers.push((name.to_string(), header)),
            Err(error) => {
                if matches!(error, Error::Refused { .. }) {
                    // Refused if there was one a moment ago, which is as good.
                    let _ = client.heartbeat().await;
                }
                missing.push(format!("{name}: {error}"));
            }
        }
    }
    Ok(judge(&headers, &missing, done))
}

/// What the headers of the block after the backup's last one say. Pure.
pub fn judge(headers: &[(String, Header)], missing: &[String], done: &BackedUp) -> Verdict {
    for (name, header) in headers {
        let fields = [
            (header.parent == done.block_id, "block", done.block_id.to_string(), header.parent.to_string()),
            (
                header.state_root == done.state_root,
                "state root",
                done.state_root.to_string(),
                header.state_root.to_string(),
            ),
            (
                (header.log_size, header.log_root) == (done.log_size, done.log_root),
                "log",
                format!("{} entries, root {}", done.log_size, done.log_root),
                format!("{} entries, root {}", header.log_size, header.log_root),
            ),
        ];
        if let Some((_, what, restored, certified)) = fields.into_iter().find(|(same, ..)| !same) {
            let reason = format!(
                "at height {} the restored {what} is {restored}, and {name} has {certified}, certified by a quorum",
                done.height
            );
            return Verdict::Differs { reason };
        }
    }
    if headers.len() >= ASKED_AT_LEAST {
        return Verdict::Agrees { validators: u32::try_from(headers.len()).unwrap_or(u32::MAX) };
    }
    let why = match missing.first() {
        Some(why) => format!("block {} is not certified by two validators yet: {why}", done.height.saturating_add(1)),
        None => format!("{} validator(s) of the chain are caught up, two are asked", headers.len()),
    };
    Verdict::NotYet { why }
}
