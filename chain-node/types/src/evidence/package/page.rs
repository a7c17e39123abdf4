//! The reports for people: one template a language, whose places are filled from the evidence alone, so that whoever has
//! the evidence can make the same page again and compare. The browser's verifier fills the same templates.

use super::super::report::{CheckName, Report};
use super::super::{Evidence, Subject};
use super::LogProof;
use crate::manifest::Date;

const ZH: &str = include_str!("report.zh.html");
const EN: &str = include_str!("report.en.html");
/// From the year 10000 on a time is written as a number.
const LAST_DATE_MS: u64 = 253_402_271_999_999;
const NOTHING: &str = "–";

struct Words {
    pass: &'static str,
    none: &'static str,
    kinds: [&'static str; 3],
}

const WORDS_ZH: Words =
    Words { pass: "通过", none: "不适用", kinds: ["已执行的调用", "文件指纹", "链上状态"] };
const WORDS_EN: Words = Words {
    pass: "pass",
    none: "not applicable",
    kinds: ["an applied call", "a file's fingerprint", "a state record"],
};

/// Both reports, Chinese first; none if the evidence fails a check. `report` is the core's: what its reader brought along
/// changes nothing here.
pub(super) fn pages(evidence: &Evidence, report: &Report, log: Option<&LogProof>, city: bool) -> Option<[String; 2]> {
    let made = |template: &str, words: &Words| fill(template, &places(evidence, report, log, city, words));
    report.is_valid().then(|| [made(ZH, &WORDS_ZH), made(EN, &WORDS_EN)])
}

/// What stands in each place of a template, in the order of the templates.
fn places(
    evidence: &Evidence,
    report: &Report,
    log: Option<&LogProof>,
    city: bool,
    words: &Words,
) -> Vec<(&'static str, String)> {
    let [call, digest, state] = words.kinds;
    let detail = |name| report.checks.iter().find(|c| c.name == name).map(|c| c.detail.clone()).unwrap_or_default();
    let (kind, subject) = match (&evidence.subject, report.digest) {
        (Subject::State(proof), _) => (state, hex::encode(&proof.key)),
        (Subject::Act { .. }, Some(found)) => (digest, found.to_string()),
        (Subject::Act { .. }, None) => (call, detail(CheckName::Signature)),
    };
    let shown = |fact: Option<String>| fact.unwrap_or_else(|| NOTHING.to_owned());
    let outcome = |passes: bool| if passes { words.pass } else { words.none }.to_owned();
    let passed = |name| report.passed(name);
    let governance = report.governance.map(|g| match g {
        crate::genesis::Governance::Platform => "platform".to_owned(),
        crate::genesis::Governance::Members => "self".to_owned(),
    });
    vec![
        ("fingerprint", evidence.fingerprint().to_string()),
        ("chain", shown(report.chain_id.clone())),
        ("governance", shown(governance)),
        ("kind", kind.to_owned()),
        ("subject", subject),
        ("time", time(evidence.time_ms())),
        ("height", shown(report.height.map(|height| height.to_string()))),
        ("index", shown(report.index.map(|index| index.to_string()))),
        ("tx", shown(report.tx.map(|tx| tx.to_string()))),
        ("signer", shown(report.signer.map(|signer| signer.to_string()))),
        ("account", shown(passed(CheckName::Account).then(|| detail(CheckName::Account)))),
        ("signature", outcome(passed(CheckName::Signature))),
        ("of_account", outcome(passed(CheckName::Account))),
        ("cosignatures", outcome(log.is_some())),
        ("receipt", outcome(log.is_some_and(|log| log.receipt.is_some()))),
        ("history", if city { NOTHING.to_owned() } else { outcome(false) }),
    ]
}

fn fill(template: &str, places: &[(&'static str, String)]) -> String {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    let mut page = String::with_capacity(template.len() + 1024);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else { break };
        page.push_str(before);
        let place = places.iter().find(|(known, _)| *known == name);
        page.push_str(&place.map(|(_, text)| escaped(text)).unwrap_or_default());
        rest = after;
    }
    page.push_str(rest);
    page
}

/// In the city's time (UTC+08:00).
fn time(time_ms: u64) -> String {
    if time_ms > LAST_DATE_MS {
        return format!("{time_ms} ms");
    }
    let of_day = time_ms.saturating_add(8 * 3_600_000) / 1_000 % 86_400;
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{} {hour:02}:{minute:02}:{second:02} UTC+08:00", Date::of_ms(time_ms))
}
