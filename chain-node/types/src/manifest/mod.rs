//! The application manifest: an application is configuration, never code, and this is all that it can say.
//!
//! [`AppTemplate`] is what an author writes; [`AppTemplate::check`] finds everything wrong with it at once, in both
//! languages, with the path of each fault; [`AppTemplate::resolve`] fills in the answers; the [`ChainPart`] goes on chain
//! and is checked there again by the same [`ChainPart::check`]. Every vocabulary is a closed enum: what is not listed is
//! refused when the file is read, with its line. What the modules offer is described once, in [`APP_MODULES`] and
//! [`CHAIN_MODULES`]. Files stand in reading order; nothing here reads or writes a file.

mod braces;
mod ordered;
mod references;

mod calendar;
mod codes;
mod faults;
mod fields;
mod number;
mod pattern;
mod value;

mod chain_part;
mod guards;
mod modules;
mod refusals;
mod rules;
mod short_field;

mod pages;
mod steps;
mod template;
mod verdict;

mod check;
mod lines;
mod resolve;
mod schema;
mod upgrade;

#[cfg(test)]
mod tests;

pub use calendar::{CITY_OFFSET, Date, parse_time_ms};
pub use chain_part::{
    ChainPart, Instance, ItemCode, LotCode, LotField, Module, ProductClass, ProductField, RecordType, Role, Rule,
    Serial, ShipField, TraceCodes, TraceProfile,
};
pub use check::{ManifestError, RESERVED_FIELDS};
pub use codes::Check;
pub use faults::{Fault, FaultKind};
pub use fields::{Field, FieldType, MAX_FILES, MAX_TEXT, Mask, Place, commitment};
pub use guards::Guard;
pub use lines::line_of;
pub use modules::{
    APP_MODULES, ArgKind, ArgSpec, ArgumentFault, CHAIN_MODULES, COMMON_REFUSALS, CallSpec, FieldSpec, KindSpec,
    ModuleSpec, Words, arguments_from_json, module_spec, text,
};
pub use number::NumberPattern;
pub use ordered::Ordered;
pub use pages::{
    Accepts, Action, Alias, DetailPage, FormPage, LabelsPage, ListPage, Page, PageHead, PlainPage, PublicPage,
    ScanPage, Switch, Tab,
};
pub use pattern::Pattern;
pub use references::{Actor, MethodRef, Span, Target, Version, is_label};
pub use refusals::{Code, refusals, sentence};
pub use resolve::ResolvedTemplate;
pub use steps::{Expect, Step, StepValue};
pub use template::{Answer, Answers, ApiVersion, AppTemplate, Category, Kind, Question, QuestionType, Requires};
pub use value::FieldValue;
pub use verdict::{Condition, Level, Threshold, Verdict};

use check::error;

/// JSON Schema of a template, for editors and for programs that write one.
pub fn template_schema() -> schemars::Schema {
    schemars::schema_for!(AppTemplate)
}
