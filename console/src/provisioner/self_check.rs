//! Asks the founders for their first block and has `chain_plan` judge it.

use super::hands::Hands;
use crate::time::now_ms;
use chain_client::node::{Node, http};
use chain_plan::self_check::{FirstBlock, founders, self_check};
use chain_plan::{Plan, SelfCheck};

impl Hands {
    pub async fn check_itself(&mut self, plan: &Plan) -> SelfCheck {
        let mut answers = Vec::new();
        for node in founders(plan) {
            let base = http(&self.addresses().api(node));
            let answer = Node::at(&self.app.http, &base).first_block().await;
            let asked_no_more = answer.is_err();
            answers.push(FirstBlock { node, answer });
            if asked_no_more {
                break;
            }
        }
        self_check(self.founded(), &answers, now_ms().unsigned_abs())
    }
}
