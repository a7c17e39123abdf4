//! What the engine's core asks for, done as the engine's actors do it: the log is flushed before anything signed leaves
//! and before a decision, a block is stored before it is answered for, and every answer takes its time.

use arc_malachitebft_app_channel::{Signer, VerifierExt};
use arc_malachitebft_core_consensus::{
    ConsensusMsg, Effect, Input, LivenessMsg, LocallyProposedValue, Resumable, Resume, SignedConsensusMsg,
};
use arc_malachitebft_core_types::{CertificateError, Round, ValueOrigin};
use arc_malachitebft_engine::host::SyncedValueOutcome;
use arc_malachitebft_engine::util::streaming::StreamMessage;
use futures::FutureExt;

use super::super::context::{ChainContext, Height};
use super::super::parts::Part;
use super::Bug;
use super::message::{Message, encode};
use super::node::{Act, Node};

/// Signing and verifying wait for nothing here.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

type Verified = Result<(), CertificateError<ChainContext>>;

impl Node {
    pub fn handle(&mut self, effect: Effect<ChainContext>) -> Resume<ChainContext> {
        // After the crash the core still runs to its next stop; nothing of that is seen or kept.
        let alive = self.step();
        let recovering = self.live.as_ref().is_some_and(|live| live.recovering);
        match effect {
            Effect::CancelAllTimeouts(r) => {
                self.timers().clear();
                r.resume_with(())
            }
            Effect::CancelTimeout(timeout, r) => {
                self.timers().retain(|(other, _)| *other != timeout);
                r.resume_with(())
            }
            Effect::ScheduleTimeout(timeout, r) => {
                self.schedule(timeout);
                r.resume_with(())
            }
            Effect::StartRound(height, round, _, _, r) => {
                if alive {
                    self.flush(recovering);
                    self.on_round(height, round);
                }
                r.resume_with(())
            }
            Effect::PublishConsensusMsg(message, r) => {
                if alive {
                    self.flush(recovering);
                    self.acts.push(Act::Signed(message.clone()));
                    self.publish(Message::Consensus(encode(&message)));
                }
                r.resume_with(())
            }
            Effect::PublishLivenessMsg(message, r) => {
                self.publish_if(alive, Message::Liveness(encode(&message)));
                r.resume_with(())
            }
            Effect::RepublishVote(vote, r) => {
                self.publish_if(alive, Message::Liveness(encode(&LivenessMsg::Vote(vote))));
                r.resume_with(())
            }
            Effect::RepublishRoundCertificate(certificate, r) => {
                self.publish_if(alive, Message::Liveness(encode(&LivenessMsg::SkipRoundCertificate(certificate))));
                r.resume_with(())
            }
            Effect::GetValue(height, round, _, r) => {
                if alive {
                    self.on_get_value(height, round);
                }
                r.resume_with(())
            }
            Effect::RestreamProposal(height, round, valid_round, by, id, r) => {
                if let Some(live) = self.live.as_mut().filter(|_| alive) {
                    let messages = live.app.on_restream(height.0, id, (round, valid_round), by);
                    self.stream(None, messages);
                }
                r.resume_with(())
            }
            Effect::SignVote(vote, r) => r.resume_with(now(self.signer.sign_vote(vote)).unwrap()),
            Effect::SignProposal(proposal, r) => r.resume_with(now(self.signer.sign_proposal(proposal)).unwrap()),
            Effect::Decide(certificate, _, r) => {
                if let (true, Some(live)) = (alive, &mut self.live) {
                    if !recovering {
                        self.wal.flush();
                    }
                    match live.app.decided(&certificate) {
                        Ok(decided) => self.acts.push(Act::Commit(Box::new(decided))),
                        Err(e) => self.stop(&e),
                    }
                }
                r.resume_with(())
            }
            Effect::Finalize(_, _, evidence, r) => {
                if alive {
                    if !evidence.is_empty() {
                        self.acts.push(Act::Misbehaviour);
                    }
                    self.hold();
                }
                r.resume_with(())
            }
            Effect::WalAppend(height, entry, r) => {
                if alive && !recovering {
                    self.wal.append(height.0, entry);
                }
                r.resume_with(())
            }
            other => self.verify(other, alive),
        }
    }

    /// The effects that check something another one sent.
    fn verify(&mut self, effect: Effect<ChainContext>, alive: bool) -> Resume<ChainContext> {
        let verifier = self.verifier.clone();
        match effect {
            Effect::VerifySignature(message, key, r) => {
                let sig = &message.signature;
                let result = match &message.message {
                    ConsensusMsg::Vote(vote) => now(verifier_of(&verifier).verify_signed_vote(vote, sig, &key)),
                    ConsensusMsg::Proposal(p) => now(verifier_of(&verifier).verify_signed_proposal(p, sig, &key)),
                };
                r.resume_with(result.is_ok_and(|result| result.is_valid()))
            }
            Effect::VerifyCommitCertificate(certificate, set, thresholds, r) => {
                let verified: Verified =
                    now(verifier.verify_commit_certificate(&ChainContext, &certificate, &set, thresholds));
                r.resume_with(verified)
            }
            Effect::VerifyExtendedCommitCertificate(certificate, set, thresholds, policy, r) => {
                let verified: Verified = now(verifier.verify_extended_commit_certificate(
                    &ChainContext,
                    &certificate,
                    &set,
                    thresholds,
                    policy,
                ));
                r.resume_with(verified)
            }
            Effect::VerifyPolkaCertificate(certificate, set, thresholds, r) => {
                let verified: Verified =
                    now(verifier.verify_polka_certificate(&ChainContext, &certificate, &set, thresholds));
                r.resume_with(verified)
            }
            Effect::VerifyRoundCertificate(certificate, set, thresholds, r) => {
                let verified: Verified =
                    now(verifier.verify_round_certificate(&ChainContext, &certificate, &set, thresholds));
                r.resume_with(verified)
            }
            Effect::CertVerifiedSyncValue(value, proposer, r) => {
                if let (true, Some(live)) = (alive, &mut self.live) {
                    let (height, round) = (value.certificate.height, value.certificate.round);
                    match live.app.on_synced(height.0, round, proposer, &value.value_bytes) {
                        Ok(SyncedValueOutcome::Verdict(mut judged)) if judged.value == value.certificate.value_id => {
                            judged.round = round;
                            self.judged(judged, ValueOrigin::Sync);
                        }
                        Ok(_) => {}
                        Err(e) => self.stop(&e),
                    }
                }
                r.resume_with(())
            }
            Effect::CertRejectedSyncValue(_, _, _, r) => r.resume_with(()),
            Effect::ExtendVote(.., r) => r.resume_with(None),
            Effect::VerifyVoteExtension(.., r) => r.resume_with(Ok(())),
            _ => Resume::Continue,
        }
    }

    fn timers(&mut self) -> &mut Vec<(arc_malachitebft_core_types::Timeout, u64)> {
        &mut self.live.as_mut().unwrap().timers
    }

    fn flush(&mut self, recovering: bool) {
        if !recovering {
            self.wal.flush();
        }
    }

    fn publish(&mut self, message: Message) {
        self.acts.push(Act::Send(None, message));
    }

    fn publish_if(&mut self, alive: bool, message: Message) {
        if alive {
            self.publish(message);
        }
    }

    pub fn stream(&mut self, to: Option<usize>, messages: Vec<StreamMessage<Part>>) {
        self.acts.extend(messages.iter().map(|message| Act::Send(to, Message::Part(encode(message)))));
    }

    fn on_round(&mut self, height: Height, round: Round) {
        let Some(live) = &mut self.live else { return };
        match live.app.on_round(height.0, round) {
            Ok(values) => values.into_iter().for_each(|value| self.judged(value, ValueOrigin::Consensus)),
            Err(e) => self.stop(&e),
        }
    }

    fn on_get_value(&mut self, height: Height, round: Round) {
        let Some(live) = &mut self.live else { return };
        let candidate = match live.app.on_get_value(height.0, round) {
            Ok(candidate) => candidate,
            Err(e) => return self.stop(&e),
        };
        if !self.step() {
            return;
        }
        let id = match self.mind.is_some() {
            true => self.propose_evil(&candidate, round),
            false => {
                let (me, Some(live)) = (self.address(), &mut self.live) else { return };
                let messages = live.app.messages(&candidate.proposal, round, me);
                self.stream(None, messages);
                candidate.proposal.id
            }
        };
        let value = LocallyProposedValue::new(height, round, Self::value_of(id));
        self.acts.push(Act::Feed(Box::new(Input::Propose(value))));
    }

    /// What a crash leaves.
    pub fn crash(&mut self, random: &mut super::random::Random) {
        self.live = None;
        self.wal.crash(random);
        if self.bug == Bug::ForgetsLock || self.mind.as_ref().is_some_and(|mind| mind.forgets()) {
            self.wal.forget();
        }
    }
}

fn verifier_of(memo: &super::verifier::Memo) -> &dyn arc_malachitebft_app_channel::Verifier<ChainContext> {
    memo
}

/// For the verdict: what a signed message says, and of which place.
pub fn statement(message: &SignedConsensusMsg<ChainContext>) -> (String, String) {
    match message {
        SignedConsensusMsg::Vote(v) => {
            let vote = &v.message;
            (format!("{:?} at {}/{}", vote.kind, vote.height, vote.round), format!("{:?}", vote.value))
        }
        SignedConsensusMsg::Proposal(p) => {
            let proposal = &p.message;
            let says = format!("{:?} {:?}", proposal.value, proposal.valid_round);
            (format!("proposal at {}/{}", proposal.height, proposal.round), says)
        }
    }
}
