//! The sentences that people read, word for word.

use operator_api::{ChainSpec, ValidatorState};

use super::*;
use crate::{
    SelfCheck,
    exit::{Exit, code},
    fixtures::{chain, changed, founded, healthy, keys, kill, live, name, seen, spec, with_off},
    plan::plan,
};

fn phase_of(plan: &Plan, observed: &Observed) -> ChainPhase {
    health(plan, observed).phase
}

fn told(plan: &Plan, observed: &Observed) -> (Vec<String>, Vec<String>) {
    health(plan, observed).sentences.into_iter().map(|text| (text.zh, text.en)).unzip()
}

#[test]
fn all_is_well() {
    let plan = founded(&spec(4));
    let observed = healthy(&plan);
    let health = health(&plan, &observed);
    assert_eq!(
        (health.phase, health.ready, health.validators, health.quorum, health.tolerates),
        (ChainPhase::Healthy, 4, 4, 3, 1)
    );
    let (zh, en) = told(&plan, &observed);
    assert_eq!(zh, ["4 个验证者全部在线，法定数 3，可再容忍 1 个故障。"]);
    assert_eq!(en, ["All 4 validators are live, quorum 3: 1 more may fail."]);
}

#[test]
fn nothing_to_do_is_idle_and_work_is_healthy() {
    let plan = founded(&spec(4));
    let mut observed = healthy(&plan);
    observed.last_block_ms = Some(observed.now_ms - 100_000);
    assert_eq!(phase_of(&plan, &observed), ChainPhase::Idle);
    observed.pending_since_ms = Some(observed.now_ms - 20);
    assert_eq!(phase_of(&plan, &observed), ChainPhase::Healthy);
}

#[test]
fn who_is_missing_since_when_and_what_is_done() {
    let plan = founded(&spec(4));
    let mut observed = healthy(&plan);
    kill(&mut observed, 3, 500, 2);
    seen(&mut observed, 3).missing_since_ms = Some(observed.now_ms - 18_000);
    assert_eq!(phase_of(&plan, &observed), ChainPhase::Degraded);
    let (zh, en) = told(&plan, &observed);
    assert_eq!(
        zh,
        [
            "validator-3（市中级法院）缺席 18 秒：进程被信号 9 终止。1 秒后重新启动，第 2 次尝试。",
            "4 个验证者中 3 个在线，恰好达到法定数 3，链继续出块；再失去一个将停止。",
        ]
    );
    assert_eq!(
        en,
        [
            "validator-3 (Intermediate court) has been missing for 18 seconds: its process was ended by signal 9. It is started \
         again in 1 second, attempt 2.",
            "3 of 4 validators are live, exactly the quorum of 3: the chain goes on, and one more loss stops it.",
        ]
    );
}

#[test]
fn one_that_is_back_is_catching_up() {
    let plan = founded(&spec(4));
    let mut observed = healthy(&plan);
    let node = seen(&mut observed, 3);
    (node.caught_up, node.height) = (false, 88);
    let (zh, en) = told(&plan, &observed);
    assert_eq!(zh[0], "validator-3（市中级法院）缺席：正在追赶，落后 12 个区块。");
    assert_eq!(en[0], "validator-3 (Intermediate court) is missing: it is catching up, 12 blocks behind.");
}

#[test]
fn stopped_on_request_is_said_as_such() {
    let plan = founded(&with_off(4, &[(2, ValidatorState::Stopped)]));
    let mut observed = healthy(&plan);
    kill(&mut observed, 2, 60_000, 0);
    seen(&mut observed, 2).process = Process::Absent;
    let (zh, en) = told(&plan, &observed);
    assert_eq!(zh[0], "validator-2（市司法局）缺席 1 分钟：已按要求停止。");
    assert_eq!(en[0], "validator-2 (Justice bureau) has been missing for 1 minute: it is stopped on request.");
    assert_eq!(phase_of(&plan, &observed), ChainPhase::Degraded);
}

#[test]
fn a_lost_quorum_says_how_many_must_return() {
    let plan = founded(&spec(4));
    let mut observed = healthy(&plan);
    kill(&mut observed, 1, 100, 3);
    kill(&mut observed, 2, 100, 3);
    assert_eq!(phase_of(&plan, &observed), ChainPhase::Stalled);
    let (zh, en) = told(&plan, &observed);
    assert_eq!(zh[2], "4 个验证者中 2 个在线，法定数 3：再恢复 1 个之前不能出块；已提交的数据不受影响。");
    assert_eq!(
        en[2],
        "2 of 4 validators are live, quorum 3: no block can be made until 1 more return; what is committed stays."
    );
}

#[test]
fn a_chain_that_comes_up_after_a_reboot_is_starting_not_broken() {
    let plan = founded(&spec(4));
    let mut observed = healthy(&plan);
    for node in observed.nodes.values_mut() {
        *node = Default::default();
    }
    assert_eq!(phase_of(&plan, &observed), ChainPhase::Starting);
    for node in observed.nodes.values_mut() {
        node.process = Process::Starting { pid: 1, since_ms: observed.now_ms - 1_000 };
    }
    assert_eq!(phase_of(&plan, &observed), ChainPhase::Starting);
    observed.now_ms += 60_000;
    assert_eq!(phase_of(&plan, &observed), ChainPhase::Stalled);
}

#[test]
fn stalled_is_a_transaction_or_heartbeat_that_waits() {
    let plan = founded(&spec(4));
    let mut observed = healthy(&plan);
    observed.pending_since_ms = Some(observed.now_ms - 10_000);
    assert_eq!(phase_of(&plan, &observed), ChainPhase::Healthy);
    observed.pending_since_ms = Some(observed.now_ms - 25_000);
    assert_eq!(phase_of(&plan, &observed), ChainPhase::Stalled);
    let (zh, en) = told(&plan, &observed);
    assert_eq!(zh[0], "有交易等待 25 秒仍未出块，虽然在线验证者达到法定数；请检查节点间的网络与时钟。");
    assert!(en[0].starts_with("A transaction has been waiting for 25 seconds without a block"), "{}", en[0]);
    observed.pending_since_ms = None;
    observed.last_block_ms = Some(observed.now_ms - 600_000 - 10_001);
    assert_eq!(phase_of(&plan, &observed), ChainPhase::Stalled);
}

#[test]
fn what_needs_a_person_is_failed_once_the_quorum_cannot_return() {
    let plan = founded(&spec(4));
    let mut observed = healthy(&plan);
    let ends = |observed: &mut Observed, number| {
        kill(observed, number, 100, 1);
        seen(observed, number).process = Process::Exited { exit: Exit::Code(code::STORE_DAMAGED), at_ms: 1 };
    };
    ends(&mut observed, 1);
    assert_eq!(phase_of(&plan, &observed), ChainPhase::Degraded);
    ends(&mut observed, 2);
    assert_eq!(phase_of(&plan, &observed), ChainPhase::Failed);
    let (_, en) = told(&plan, &observed);
    assert!(en[0].ends_with("look with `chain-node check`, then resync it."), "{}", en[0]);
}

#[test]
fn provisioning_says_what_it_waits_for() {
    let chain = chain(&spec(4));
    let mut some = keys(&chain);
    some.organisations.remove(&name("court"));
    let waiting = plan(&chain, &some, &crate::fixtures::addresses(), None);
    let nothing = Observed::default();
    let (zh, en) = told(&waiting, &nothing);
    assert_eq!(zh, ["等待机构 court 的管理员公钥；公布后自动继续。"]);
    assert_eq!(en, ["Waiting for the administrator key of court; it goes on by itself once published."]);
    assert_eq!((health(&waiting, &nothing).validators, phase_of(&waiting, &nothing)), (4, ChainPhase::Provisioning));

    let plan = founded(&spec(4));
    let mut observed = healthy(&plan);
    observed.self_check = None;
    observed.nodes.clear();
    observed.nodes.insert(plan.nodes[0].name, live(&plan.nodes[0]));
    let (zh, en) = told(&plan, &observed);
    assert_eq!(zh, ["正在开通：4 个验证者中 1 个已就绪。"]);
    assert_eq!(en, ["The chain is being made: 1 of 4 validators are ready."]);
    observed.self_check =
        Some(SelfCheck { passed: false, at_ms: 0, detail: Some(Text::new("区块 1 不一致", "block 1 differs")) });
    assert_eq!(told(&plan, &observed).1[0], "The self-check did not pass: block 1 differs; it is tried again.");
}

#[test]
fn a_sleeping_chain_is_stopped() {
    let plan = changed(&spec(4), &ChainSpec { state: ChainState::Hibernated, ..spec(4) });
    let mut observed = healthy(&plan);
    assert_eq!(phase_of(&plan, &observed), ChainPhase::Idle);
    observed.nodes.clear();
    assert_eq!(phase_of(&plan, &observed), ChainPhase::Stopped);
    assert_eq!(told(&plan, &observed).0, ["链已休眠，数据保留；唤醒后继续。"]);
}
