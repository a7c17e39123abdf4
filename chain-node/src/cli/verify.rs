//! `chain-node verify`: checks evidence with nothing but the package, a fingerprint and, if there is one, the original.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use chain_types::evidence::package::verify_file_with_city;
use chain_types::evidence::{CheckName, Inputs, Outcome, Report};
use chain_types::{Fingerprint, Hash};
use clap::{Args, ValueEnum};
use sha2::{Digest, Sha256};

/// Larger packages are refused unread.
const MAX_PACKAGE_BYTES: u64 = 64 << 20;

#[derive(Debug, Args)]
pub struct Verify {
    /// The package, `.evp`, or its core alone, `evidence.cbor`
    evidence: PathBuf,
    /// The original file that the record is about
    #[arg(long)]
    file: Option<PathBuf>,
    /// Genesis fingerprint of the chain that you trust; get it from elsewhere than the package
    #[arg(long)]
    trust: Option<Fingerprint>,
    /// What the city chain stored of the chain, for the check `history`
    #[arg(long, requires = "city_trust")]
    city: Option<PathBuf>,
    /// Genesis fingerprint of the city chain that you trust
    #[arg(long, requires = "city")]
    city_trust: Option<Fingerprint>,
    /// Fail unless this check passes; may be given more than once
    #[arg(long, value_enum)]
    require: Vec<Requirement>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Language of the explanations
    #[arg(long, value_enum, default_value_t = Language::En)]
    language: Language,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Requirement {
    Genesis,
    Account,
    File,
    History,
    Cosignatures,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Language {
    En,
    Zh,
}

impl Requirement {
    fn check(self) -> CheckName {
        match self {
            Self::Genesis => CheckName::Genesis,
            Self::Account => CheckName::Account,
            Self::File => CheckName::File,
            Self::History => CheckName::History,
            Self::Cosignatures => CheckName::Cosignatures,
        }
    }
}

impl Verify {
    /// Exits 0 if no check fails and every required one passes, 1 if not, 2 if something cannot be read.
    pub fn run(self) -> ExitCode {
        let report = match self.report() {
            Ok(report) => report,
            Err(e) => {
                eprintln!("{e:#}");
                return ExitCode::from(2);
            }
        };
        let missing: Vec<_> = self.require.iter().map(|r| r.check()).filter(|name| !report.passed(*name)).collect();
        let valid = report.is_valid() && missing.is_empty();
        match self.json {
            true => println!("{}", serde_json::to_string_pretty(&report).unwrap_or_default()),
            false => self.print(&report, &missing, valid),
        }
        if valid { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn report(&self) -> anyhow::Result<Report> {
        let bytes = read_package(&self.evidence)?;
        let file = self.file.as_deref().map(hash_file).transpose()?;
        let proof = self.city.as_deref().map(read_package).transpose()?;
        let inputs = Inputs { trust: self.trust, file };
        Ok(verify_file_with_city(&bytes, &inputs, proof.as_deref(), self.city_trust))
    }

    fn print(&self, report: &Report, missing: &[CheckName], valid: bool) {
        for check in &report.checks {
            let (mark, reason) = match &check.outcome {
                Outcome::Pass => ("pass", &check.detail),
                Outcome::Fail(reason) => ("FAIL", reason),
                Outcome::NotApplicable(reason) => ("n/a ", reason),
            };
            println!("{mark}  {:<13} {reason}", check.name.code());
            if check.outcome == Outcome::Pass {
                let (zh, en) = check.name.meaning();
                println!("      {:<13} {}", "", if self.language == Language::Zh { zh } else { en });
            }
        }
        if let Some(time_ms) = report.time_ms {
            println!("time  {:<13} {} (milliseconds since 1970, by the validators' clocks)", "", time_ms);
        }
        for name in missing {
            println!("required check `{}` did not pass", name.code());
        }
        let history = report.passed(CheckName::History);
        println!(
            "{}",
            match (valid, history) {
                (false, _) => "NOT VALID",
                (true, true) => "valid",
                (true, false) => "valid, history not proven",
            }
        );
    }
}

fn read_package(path: &Path) -> anyhow::Result<Vec<u8>> {
    let failed = || format!("failed to read {}", path.display());
    let size = std::fs::metadata(path).with_context(failed)?.len();
    anyhow::ensure!(size <= MAX_PACKAGE_BYTES, "{} is too large to be evidence", path.display());
    std::fs::read(path).with_context(failed)
}

/// SHA-256 of a file of any size.
pub fn hash_file(path: &Path) -> anyhow::Result<Hash> {
    let failed = || format!("failed to read {}", path.display());
    let mut file = std::fs::File::open(path).with_context(failed)?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        let n = file.read(&mut buffer).with_context(failed)?;
        match buffer.get(..n) {
            Some(read) if n > 0 => hasher.update(read),
            _ => return Ok(Hash(hasher.finalize().into())),
        }
    }
}
