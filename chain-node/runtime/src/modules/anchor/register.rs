//! Registration of signed statements (RFC 9943, SCITT). The policy looks at nothing but the statement and the chain's
//! state, so every node decides alike: well-formed, signed by the key of an active account of this chain, and new.

use chain_types::account::{Account, AccountStatus};
use chain_types::manifest::Code;
use chain_types::state::account_key;
use chain_types::tlog::SignedStatement;
use serde::Serialize;

use super::calls::Register;
use super::config::AnchorConfig;
use super::state::{STATEMENT, Statement};
use crate::call::{CallContext, CallResult, ensure, refuse};

#[derive(Serialize)]
struct StatementRegistered<'a> {
    id: String,
    issuer: &'a str,
    subject: &'a str,
    organisation: &'a str,
}

pub fn register(call: &mut CallContext<'_, '_>, config: &AnchorConfig, args: Register) -> CallResult {
    ensure(config.batch, Code::BatchNotAllowed, || [("instance", call.instance.to_owned())])?;
    let statement = match SignedStatement::parse(&args.statement) {
        Ok(statement) => statement,
        Err(e) => return refuse(Code::StatementInvalid, [("reason", e.code().to_owned())]),
    };
    let issuer: Option<Account> = call.state.get(&account_key(&statement.kid))?;
    let Some(issuer) = issuer.filter(|account| account.status == AccountStatus::Active) else {
        return refuse(Code::IssuerUnknown, [("key", statement.kid.to_string())]);
    };
    ensure(statement.verify(), Code::StatementSignature, || [])?;
    let id = SignedStatement::id(&args.statement);
    ensure(!call.contains(STATEMENT, &id.0)?, Code::StatementExists, || [("id", id.to_string())])?;
    let record = Statement {
        issuer: statement.issuer,
        subject: statement.subject,
        key: statement.kid,
        organisation: issuer.organisation,
        registered_at: call.block.time_ms,
        tx: call.tx,
        by: call.kid,
    };
    call.put(STATEMENT, &id.0, &record)?;
    let Statement { issuer, subject, organisation, .. } = &record;
    call.emit("statement_registered", &StatementRegistered { id: id.to_string(), issuer, subject, organisation })?;
    call.statement = Some(args.statement);
    Ok(())
}
