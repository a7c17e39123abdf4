//! Prometheus metrics, as text. Few, and each answers a question somebody asks of an operator: does it keep up, what fails,
//! how are the chains, who leads, when does the certificate end.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use operator_api::ChainPhase;

/// Upper bounds of the durations' buckets, in seconds.
const BUCKETS: [f64; 8] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

const PHASES: [(ChainPhase, &str); 8] = [
    (ChainPhase::Provisioning, "provisioning"),
    (ChainPhase::Starting, "starting"),
    (ChainPhase::Healthy, "healthy"),
    (ChainPhase::Idle, "idle"),
    (ChainPhase::Degraded, "degraded"),
    (ChainPhase::Stalled, "stalled"),
    (ChainPhase::Stopped, "stopped"),
    (ChainPhase::Failed, "failed"),
];

#[derive(Debug, Default)]
pub struct Metrics {
    kinds: Mutex<BTreeMap<&'static str, Reconciles>>,
    /// By namespace and name.
    chains: Mutex<BTreeMap<(String, String), ChainFacts>>,
    /// By namespace and name of the ChainBackup.
    backups: Mutex<BTreeMap<(String, String), BackupFacts>>,
    /// By kind and verdict.
    admissions: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
    leader: AtomicBool,
    certificate_ends_s: AtomicU64,
}

#[derive(Debug, Default)]
struct Reconciles {
    count: u64,
    seconds: f64,
    buckets: [u64; BUCKETS.len()],
    errors: BTreeMap<&'static str, u64>,
}

/// What is counted of one chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainFacts {
    pub phase: ChainPhase,
    /// Voting validators that are not caught up and able to vote.
    pub validators_behind: u32,
}

/// What is counted of one ChainBackup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupFacts {
    pub chain: String,
    /// Seconds since 1970; 0 if there is none.
    pub last_backup_s: u64,
    /// The same of the last drill that proved one.
    pub last_proven_s: u64,
    /// The last drill failed.
    pub failed: bool,
}

/// Name, help and value of a metric of ChainBackups.
type BackupRow = (&'static str, &'static str, fn(&BackupFacts) -> u64);

impl Metrics {
    /// One pass over an object ended; an error by the label of its kind.
    pub fn reconciled(&self, kind: &'static str, took: Duration, outcome: Result<(), &'static str>) {
        let mut kinds = locked(&self.kinds);
        let row = kinds.entry(kind).or_default();
        let seconds = took.as_secs_f64();
        row.count += 1;
        row.seconds += seconds;
        for (bucket, _) in row.buckets.iter_mut().zip(BUCKETS).filter(|(_, bound)| seconds <= *bound) {
            *bucket += 1;
        }
        if let Err(label) = outcome {
            *row.errors.entry(label).or_default() += 1;
        }
    }

    /// What a chain was seen to be.
    pub fn chain(&self, namespace: &str, name: &str, facts: ChainFacts) {
        locked(&self.chains).insert((namespace.to_owned(), name.to_owned()), facts);
    }

    pub fn chain_gone(&self, namespace: &str, name: &str) {
        locked(&self.chains).remove(&(namespace.to_owned(), name.to_owned()));
    }

    /// What was found of a ChainBackup.
    pub fn backup(&self, namespace: &str, name: &str, facts: BackupFacts) {
        locked(&self.backups).insert((namespace.to_owned(), name.to_owned()), facts);
    }

    pub fn backup_gone(&self, namespace: &str, name: &str) {
        locked(&self.backups).remove(&(namespace.to_owned(), name.to_owned()));
    }

    /// An admission request was answered.
    pub fn admission(&self, kind: &'static str, allowed: bool) {
        let verdict = if allowed { "allowed" } else { "refused" };
        *locked(&self.admissions).entry((kind, verdict)).or_default() += 1;
    }

    pub fn set_leader(&self, leads: bool) {
        self.leader.store(leads, Ordering::Relaxed);
    }

    /// Seconds since 1970.
    pub fn set_certificate_end(&self, at_s: u64) {
        self.certificate_ends_s.store(at_s, Ordering::Relaxed);
    }

    /// The text that Prometheus reads.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(4_096);
        self.write_reconciles(&mut text);
        self.write_chains(&mut text);
        self.write_backups(&mut text);
        head(&mut text, "citychain_operator_admissions_total", "counter", "Admission requests by kind and answer.");
        for ((kind, verdict), count) in locked(&self.admissions).iter() {
            row(&mut text, "citychain_operator_admissions_total", &[("kind", kind), ("answer", verdict)], count);
        }
        head(&mut text, "citychain_operator_leader", "gauge", "1 if this replica carries out; the other waits.");
        row(&mut text, "citychain_operator_leader", &[], u8::from(self.leader.load(Ordering::Relaxed)));
        let name = "citychain_operator_webhook_certificate_expiry_timestamp_seconds";
        head(&mut text, name, "gauge", "End of the webhook's certificate, seconds since 1970.");
        row(&mut text, name, &[], self.certificate_ends_s.load(Ordering::Relaxed));
        text
    }

    fn write_reconciles(&self, text: &mut String) {
        let kinds = locked(&self.kinds);
        let name = "citychain_operator_reconcile_duration_seconds";
        head(text, name, "histogram", "Time of one pass over one object; its count is the number of passes.");
        for (kind, passes) in kinds.iter() {
            for (bound, count) in BUCKETS.iter().zip(passes.buckets) {
                row(text, &format!("{name}_bucket"), &[("kind", kind), ("le", &bound.to_string())], count);
            }
            row(text, &format!("{name}_bucket"), &[("kind", kind), ("le", "+Inf")], passes.count);
            row(text, &format!("{name}_sum"), &[("kind", kind)], passes.seconds);
            row(text, &format!("{name}_count"), &[("kind", kind)], passes.count);
        }
        let name = "citychain_operator_reconcile_errors_total";
        head(text, name, "counter", "Passes that failed, by what failed.");
        for (kind, passes) in kinds.iter() {
            for (error, count) in &passes.errors {
                row(text, name, &[("kind", kind), ("error", error)], count);
            }
        }
    }

    fn write_chains(&self, text: &mut String) {
        let chains = locked(&self.chains);
        head(text, "citychain_operator_chains", "gauge", "Chains by phase.");
        for (phase, word) in PHASES {
            let count = chains.values().filter(|facts| facts.phase == phase).count();
            row(text, "citychain_operator_chains", &[("phase", word)], count);
        }
        let name = "citychain_operator_validators_behind";
        head(text, name, "gauge", "Voting validators that are not caught up and able to vote, by chain.");
        for ((namespace, chain), facts) in chains.iter() {
            row(text, name, &[("namespace", namespace), ("chain", chain)], facts.validators_behind);
        }
    }

    fn write_backups(&self, text: &mut String) {
        let backups = locked(&self.backups);
        let rows: [BackupRow; 3] = [
            (
                "citychain_operator_backup_last_success_timestamp_seconds",
                "When the newest backup was finished, seconds since 1970; 0 if there is none.",
                |facts| facts.last_backup_s,
            ),
            (
                "citychain_operator_backup_last_proven_timestamp_seconds",
                "When a drill has last proven a backup, seconds since 1970; 0 if none has.",
                |facts| facts.last_proven_s,
            ),
            (
                "citychain_operator_backup_drill_failed",
                "1 if the last drill found a backup that is not the chain.",
                |facts| facts.failed.into(),
            ),
        ];
        for (name, help, value) in rows {
            head(text, name, "gauge", help);
            for ((namespace, backup), facts) in backups.iter() {
                let labels = [("namespace", namespace.as_str()), ("backup", backup), ("chain", &facts.chain)];
                row(text, name, &labels, value(facts));
            }
        }
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a String cannot fail.
    let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
}

/// Labels are names and words of ours, so nothing needs to be escaped.
fn row(text: &mut String, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
    let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
    let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    let _ = writeln!(text, "{name}{labels} {value}");
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_in_the_text() {
        let metrics = Metrics::default();
        metrics.reconciled("Chain", Duration::from_millis(20), Ok(()));
        metrics.reconciled("Chain", Duration::from_millis(300), Err("api-server"));
        metrics.chain("tenant-notary", "main", ChainFacts { phase: ChainPhase::Degraded, validators_behind: 1 });
        metrics.chain("tenant-health", "medical", ChainFacts { phase: ChainPhase::Idle, validators_behind: 0 });
        metrics.chain_gone("tenant-health", "medical");
        let facts = BackupFacts { chain: "main".into(), last_backup_s: 9, last_proven_s: 8, failed: true };
        metrics.backup("tenant-notary", "daily", facts.clone());
        metrics.backup("tenant-notary", "old", facts);
        metrics.backup_gone("tenant-notary", "old");
        metrics.admission("Chain", false);
        metrics.set_leader(true);
        let text = metrics.text();
        for line in [
            "citychain_operator_reconcile_duration_seconds_bucket{kind=\"Chain\",le=\"0.025\"} 1",
            "citychain_operator_reconcile_duration_seconds_bucket{kind=\"Chain\",le=\"0.5\"} 2",
            "citychain_operator_reconcile_duration_seconds_count{kind=\"Chain\"} 2",
            "citychain_operator_reconcile_errors_total{kind=\"Chain\",error=\"api-server\"} 1",
            "citychain_operator_chains{phase=\"degraded\"} 1",
            "citychain_operator_chains{phase=\"idle\"} 0",
            "citychain_operator_validators_behind{namespace=\"tenant-notary\",chain=\"main\"} 1",
            "citychain_operator_admissions_total{kind=\"Chain\",answer=\"refused\"} 1",
            "citychain_operator_leader 1",
            "citychain_operator_backup_last_proven_timestamp_seconds{namespace=\"tenant-notary\",backup=\"daily\",chain=\"main\"} 8",
            "citychain_operator_backup_drill_failed{namespace=\"tenant-notary\",backup=\"daily\",chain=\"main\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains("medical") && !text.contains("\"old\""));
    }
}
