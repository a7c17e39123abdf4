//! What tests need: the project's own rules (`lint`), what it may build upon (`licences`), and images for a cluster
//! (`image`), and what the suites on a cluster share (`cluster`). Those suites live in `tests/tests`.

pub mod cluster;
pub mod image;
pub mod licences;
pub mod lint;
