//! Light clients of other chains.

use super::{ArgKind, ModuleSpec, call, optional, required};
use crate::manifest::refusals::Code;

const CHAIN: super::ArgSpec = required("chain", ArgKind::Digest, ("链指纹", "Fingerprint of the chain"));
const UPDATE: super::ArgSpec = required("update", ArgKind::Bytes, ("区块头及证明", "Header with its proof"));

pub(super) const CLIENTS: ModuleSpec = ModuleSpec {
    name: "clients",
    version: 1,
    title: ("链见证", "Light clients"),
    calls: &[
        call(
            "create",
            ("开始见证一条链", "Begin to witness a chain"),
            &[
                required("genesis", ArgKind::Bytes, ("创世文件", "Genesis")),
                optional("update", ArgKind::Bytes, ("首个区块头及证明", "First header with its proof")),
            ],
        ),
        call("update", ("登记新的区块头", "Store a newer header"), &[CHAIN, UPDATE]),
        call("renew", ("恢复过期的见证", "Renew expired trust"), &[CHAIN, UPDATE]),
        call(
            "misbehaviour",
            ("举报分叉", "Report a fork"),
            &[
                CHAIN,
                required("one", ArgKind::Bytes, ("一个区块头", "One header")),
                required("other", ArgKind::Bytes, ("同高度的另一个", "Another of that height")),
            ],
        ),
    ],
    guards: &[],
    kinds: &[],
    events: &["client_created", "header_stored", "client_frozen"],
    refusals: &[
        Code::NotAdministrator,
        Code::NotOperator,
        Code::GenesisInvalid,
        Code::ClientExists,
        Code::ClientUnknown,
        Code::ClientFrozen,
        Code::ClientExpired,
        Code::HeaderNotNewer,
        Code::TimeInFuture,
        Code::UpdateInvalid,
        Code::NoFork,
    ],
};
