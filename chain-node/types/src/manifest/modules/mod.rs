//! What the modules of this version offer: calls, guards, events, kinds of records, refusals. The one place that knows;
//! the manifest's checks, the console's forms and help read it, and the runtime's tests hold its modules against it.

mod anchor;
mod arguments;
mod chain;
mod clients;
mod trace;

pub use arguments::{ArgumentFault, arguments_from_json};

use super::chain_part::Module;
use super::fields::FieldType;
use super::refusals::Code;
use crate::genesis::Text;

/// A text in both languages.
pub type Words = (&'static str, &'static str);

/// A module.
#[derive(Debug, Clone, Copy)]
pub struct ModuleSpec {
    pub name: &'static str,
    pub version: u32,
    pub title: Words,
    pub calls: &'static [CallSpec],
    /// Names of the guards that it carries out.
    pub guards: &'static [&'static str],
    pub kinds: &'static [KindSpec],
    /// Names of its events.
    pub events: &'static [&'static str],
    /// Refusals beyond [`COMMON_REFUSALS`].
    pub refusals: &'static [Code],
}

/// A call of a module.
#[derive(Debug, Clone, Copy)]
pub struct CallSpec {
    pub name: &'static str,
    pub title: Words,
    pub args: &'static [ArgSpec],
}

/// An argument of a call.
#[derive(Debug, Clone, Copy)]
pub struct ArgSpec {
    pub name: &'static str,
    pub title: Words,
    pub kind: ArgKind,
    pub required: bool,
}

/// What an argument is, in JSON and on chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgKind {
    Text,
    Integer,
    Boolean,
    /// `YYYY-MM-DD`
    Date,
    /// One of these.
    Choice(&'static [&'static str]),
    /// A public key.
    Key,
    Digest,
    Digests,
    Texts,
    /// Fields of the instance's record type or product.
    Fields,
    /// A governance action.
    Action,
    /// Bytes of any length, in hexadecimal.
    Bytes,
    /// A change of the validator set.
    Change,
    /// Text, numbers, lists and maps as they are.
    Open,
}

/// A kind of records.
#[derive(Debug, Clone, Copy)]
pub struct KindSpec {
    /// Empty if the module has one kind.
    pub name: &'static str,
    /// Fields that the module adds to those of the manifest.
    pub fields: &'static [FieldSpec],
    /// Whether the manifest's own fields belong to this kind.
    pub own_fields: bool,
    pub states: &'static [&'static str],
}

/// A field that a module keeps itself.
#[derive(Debug, Clone, Copy)]
pub struct FieldSpec {
    pub name: &'static str,
    pub title: Words,
    pub kind: FieldType,
}

/// Refusals that any call can meet.
pub const COMMON_REFUSALS: &[Code] = &[
    Code::WrongChain,
    Code::AccountUnbound,
    Code::AccountSuspended,
    Code::AppUnknown,
    Code::AppSuspended,
    Code::AppUninstalled,
    Code::InstanceUnknown,
    Code::MethodUnknown,
    Code::BadArguments,
    Code::RoleMissing,
];

/// The chain's own modules, each an instance of that name in the application `chain`.
pub const CHAIN_MODULES: &[ModuleSpec] =
    &[chain::IDENTITY, chain::GOVERNANCE, chain::APPLICATION, anchor::ANCHOR, clients::CLIENTS];

/// The modules that applications are made of.
pub const APP_MODULES: &[ModuleSpec] = &[anchor::ANCHOR, trace::TRACE];

/// The description of a module, if this version carries it out.
pub fn module_spec(module: Module) -> Option<&'static ModuleSpec> {
    APP_MODULES.iter().find(|m| m.name == module.name())
}

impl ModuleSpec {
    pub fn call(&self, name: &str) -> Option<&'static CallSpec> {
        self.calls.iter().find(|c| c.name == name)
    }

    pub fn kind(&self, name: &str) -> Option<&'static KindSpec> {
        self.kinds.iter().find(|k| k.name == name)
    }

    pub fn can_refuse(&self, code: Code) -> bool {
        COMMON_REFUSALS.contains(&code) || self.refusals.contains(&code)
    }
}

impl KindSpec {
    pub fn field(&self, name: &str) -> Option<&'static FieldSpec> {
        self.fields.iter().find(|f| f.name == name)
    }
}

/// Words as a text.
pub fn text(words: Words) -> Text {
    Text { zh: words.0.to_owned(), en: words.1.to_owned() }
}

const fn call(name: &'static str, title: Words, args: &'static [ArgSpec]) -> CallSpec {
    CallSpec { name, title, args }
}

const fn required(name: &'static str, kind: ArgKind, title: Words) -> ArgSpec {
    ArgSpec { name, title, kind, required: true }
}

const fn optional(name: &'static str, kind: ArgKind, title: Words) -> ArgSpec {
    ArgSpec { name, title, kind, required: false }
}

const fn field(name: &'static str, kind: FieldType, title: Words) -> FieldSpec {
    FieldSpec { name, title, kind }
}
