//! What tests need: the project's own rules (`lint`), and what it may build upon (`licences`). Journeys on processes live
//! in `tests/tests`.

pub mod licences;
pub mod lint;
