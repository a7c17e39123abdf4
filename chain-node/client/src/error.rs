//! What can come of asking a chain: it refused, nobody answered, or what came is not what the chain vouches for.

use chain_types::api::Problem;

#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The client was made with something that it cannot use.
    #[error("{0}")]
    Configuration(String),
    /// A node understood the request and says no.
    #[error("the chain refused: {} ({})", problem.detail, problem.code)]
    Refused { problem: Box<Problem>, retry_after_s: Option<u64> },
    /// No endpoint gave an answer; the reason of each.
    #[error("no validator answered: {}", reasons.join("; "))]
    Unreachable { reasons: Vec<String> },
    /// An answer that does not hold against the genesis fingerprint, or answers another question.
    #[error("the answer cannot be trusted: {0}")]
    Unverified(String),
}

impl Error {
    pub(crate) fn unverified(reason: impl std::fmt::Display) -> Self {
        Self::Unverified(reason.to_string())
    }

    /// The stable code of a refusal.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { problem, .. } => Some(&problem.code),
            _ => None,
        }
    }

    /// The node knows no such thing (or not yet).
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { problem, .. } if problem.status == 404)
    }

    /// Asking again later, with the same bytes, may succeed.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Unverified(_) => true,
            Self::Refused { problem, .. } => problem.status == 429 || problem.status >= 500,
            Self::Configuration(_) => false,
        }
    }
}
