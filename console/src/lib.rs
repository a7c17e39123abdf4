//! The console: what a bureau sees of the city's chains. Pages, API gateway and local provisioner over one database; in a Kubernetes cluster
//! the operator takes the local provisioner's place.
//!
//! A request goes `http::tenants::create → service::tenants::create → audit::record`: the handler reads the form, calls one
//! service function and renders; the service asks `auth::policy`, does the work and writes the audit row in the same
//! transaction; SQL stays in the service that needs it.

pub mod app;
pub mod applications;
pub mod audit;
pub mod auth;
pub mod catalog;
pub mod chains;
pub mod cluster;
pub mod config;
pub mod custody;
pub mod db;
pub mod error;
pub mod gateway;
pub mod http;
pub mod indexer;
pub mod live;
pub mod names;
pub mod objects;
pub mod outbox;
pub mod provisioner;
pub mod reach;
pub mod sealing;
pub mod serve;
pub mod service;
pub mod setup;
pub mod text;
pub mod time;
