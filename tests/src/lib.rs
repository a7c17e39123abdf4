//! What tests need: the project's own rules (`lint`), what it may build upon (`licences`), and images for a cluster
//! (`image`). Journeys on a cluster live in `tests/tests`.

pub mod image;
pub mod licences;
pub mod lint;
