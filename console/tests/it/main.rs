//! Tests of the console as the program that people run: a home of its own, real node processes, pages asked over HTTP, and kill -9 wherever
//! that is the question. They use templates of their own, never the catalog's.

mod apps;
mod client;
mod deployment;
mod provisioning;
mod scans;
mod site;
mod upgrade;
