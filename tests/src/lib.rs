//! What tests need: the project's own rules (`lint`). Journeys on processes live in `tests/tests`.

pub mod lint;
