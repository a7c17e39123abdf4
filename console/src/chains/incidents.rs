//! What befell validators lately and is over, in words. A validator is back within seconds, so without this a person who looks a moment
//! later would see nothing of it. Judges nothing.

use super::Incident;
use operator_api::Text;

/// How long an incident that is over stays on the page.
const SHOWN_MS: u64 = 120_000;

/// Those that still matter.
pub fn recent(before: &[Incident], now_ms: u64) -> Vec<Incident> {
    let recent = |incident: &&Incident| incident.back_ms.is_none_or(|at| now_ms.saturating_sub(at) < SHOWN_MS);
    before.iter().filter(recent).cloned().collect()
}

/// "validator-3 (Intermediate court) ended unexpectedly: its process was ended by signal 9. It was started again and caught up
/// after 1.2 seconds." Of one that is not over nothing is said here: the health does.
pub fn sentence(incident: &Incident) -> Text {
    let Some(back_ms) = incident.back_ms else { return Text::default() };
    let tenths = back_ms.saturating_sub(incident.at_ms).div_ceil(100);
    let seconds = format!("{}.{}", tenths / 10, tenths % 10);
    let (called, cause) = (&incident.called, &incident.cause);
    Text::new(
        format!("{}意外退出：{}；已重新启动并追上，用时 {seconds} 秒。", called.zh, cause.zh),
        format!(
            "{} ended unexpectedly: {}. It was started again and caught up within {seconds} seconds.",
            called.en, cause.en
        ),
    )
}
