//! A refused call changes nothing: a block with refused calls does what the block without them does.

use chain_runtime::BlockEffects;
use chain_types::Transaction;
use proptest::prelude::*;
use serde_json::json;

use crate::chain::*;
use crate::trace::stocked;

/// Calls of which many are refused half-way: the later codes of a list, files after fields, approvals that fail.
fn any_call(chain: &mut Chain, kind: u8, n: u32, m: u32) -> Transaction {
    let codes: Vec<String> = vec![code(n), code(m)];
    match kind % 9 {
        0 => chain.sign(MAKER_DESK, APP, "goods", "sell", json!({ "codes": codes })),
        1 => chain.sign(MAKER_DESK, APP, "goods", "ship", json!({"codes": codes, "destination": "shop"})),
        2 => chain.sign(SHOP_DESK, APP, "goods", "receive", json!({ "codes": codes })),
        3 => chain.sign(MAKER_DESK, APP, "goods", "destroy", json!({"codes": codes, "reason": "x"})),
        4 => {
            chain.sign(MAKER_DESK, APP, "goods", "commission", json!({"product": PRODUCT, "lot": "L1", "codes": codes}))
        }
        5 => chain.sign(CLERK, APP, "papers", "anchor", json!({"fields": {"topic": if n > m { "one" } else { "no" }}})),
        6 => {
            let counts =
                json!([{"code": codes[0], "count": 1, "last_ms": 1}, {"code": codes[1], "count": n, "last_ms": 1}]);
            chain.sign(SHOP_DESK, APP, "goods", "record_scans", json!({ "counts": counts }))
        }
        7 => chain.sign(CITY, "chain", "application", if n > m { "suspend" } else { "resume" }, json!({"app": APP})),
        _ => {
            let lots = json!([{"product": PRODUCT, "lot": "L1"}, {"product": PRODUCT, "lot": format!("L{n}")}]);
            let args = json!({"lots": lots, "level": 1, "reason": "x", "measures": "y"});
            chain.sign(CLERK, APP, "goods", "open_recall", args)
        }
    }
}

fn applied(effects: &BlockEffects) -> Vec<bool> {
    effects.txs.iter().map(|t| t.outcome.verdict.is_ok()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn refused_calls_leave_no_trace(picks in prop::collection::vec((any::<u8>(), 0u32..6, 0u32..6), 1..24)) {
        let mut chain = stocked("goods");
        let txs: Vec<Transaction> = picks.iter().map(|(kind, n, m)| any_call(&mut chain, *kind, *n, *m)).collect();
        let effects = chain_runtime::execute(&chain.state, &chain.context, &txs).unwrap();
        let verdicts = applied(&effects);
        let good: Vec<Transaction> = txs.iter().zip(&verdicts).filter(|(_, ok)| **ok).map(|(tx, _)| tx.clone()).collect();
        let alone = chain_runtime::execute(&chain.state, &chain.context, &good).unwrap();
        prop_assert!(applied(&alone).iter().all(|ok| *ok));
        prop_assert_eq!(&alone.changes, &effects.changes);
        prop_assert_eq!(alone.log_size, effects.log_size);
        for (one, ok) in effects.txs.iter().zip(verdicts) {
            prop_assert_eq!(one.outcome.entries, if ok { 1 + one.digests.len() as u64 } else { 0 });
            prop_assert!(ok || one.digests.is_empty());
        }
    }

    /// One block or several: the state is the same, and so is what each call was told.
    #[test]
    fn how_calls_fall_into_blocks_does_not_matter(picks in prop::collection::vec((any::<u8>(), 0u32..6, 0u32..6), 1..16), cut in 0usize..16) {
        let mut chain = stocked("goods");
        let txs: Vec<Transaction> = picks.iter().map(|(kind, n, m)| any_call(&mut chain, *kind, *n, *m)).collect();
        let whole = chain_runtime::execute(&chain.state, &chain.context, &txs).unwrap();
        let (first, second) = txs.split_at(cut.min(txs.len()));
        let one = chain_runtime::execute(&chain.state, &chain.context, first).unwrap();
        let mut state = chain.state.clone();
        state.apply(one.changes.clone());
        let context = chain_runtime::BlockContext { log_size: one.log_size, ..chain.context.clone() };
        let two = chain_runtime::execute(&state, &context, second).unwrap();
        let mut changes = one.changes;
        changes.extend(two.changes);
        prop_assert_eq!(changes, whole.changes);
        prop_assert_eq!(two.log_size, whole.log_size);
        let outcomes: Vec<_> = one.txs.into_iter().chain(two.txs).collect();
        prop_assert_eq!(outcomes, whole.txs);
    }
}
