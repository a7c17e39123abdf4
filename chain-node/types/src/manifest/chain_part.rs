//! The part of a manifest that goes on chain whole and that the runtime enforces: roles, instances with their
//! configuration, rules, and who may call what.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::codes::Check;
use super::fields::{Field, is_false};
use super::guards::Guard;
use super::ordered::Ordered;
use super::references::{MethodRef, Target};
use super::rules::RuleForm;
use crate::genesis::Text;

/// What an application is on chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChainPart {
    pub roles: Ordered<Role>,
    pub instances: Ordered<Instance>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// Calls of each role; whatever is not listed is refused.
    pub allow: Ordered<Vec<MethodRef>>,
}

/// What an account can be in an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Role {
    pub title: Text,
}

/// The building blocks. This version carries out those for which [`super::module_spec`] gives a description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Module {
    Anchor,
    Registry,
    Credential,
    Consent,
    Exchange,
    Trace,
    Workflow,
    Fund,
    Ballot,
    Recognition,
    Compute,
}

impl Module {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anchor => "anchor",
            Self::Registry => "registry",
            Self::Credential => "credential",
            Self::Consent => "consent",
            Self::Exchange => "exchange",
            Self::Trace => "trace",
            Self::Workflow => "workflow",
            Self::Fund => "fund",
            Self::Ballot => "ballot",
            Self::Recognition => "recognition",
            Self::Compute => "compute",
        }
    }
}

/// A module with the configuration of one application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    pub module: Module,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
    /// Of `anchor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordType>,
    /// Of `trace`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<TraceProfile>,
    /// Of `anchor`: also takes batches of digests without a record.
    #[serde(default, skip_serializing_if = "is_false")]
    pub batch: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<Guard>,
}

/// A type of record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordType {
    /// The name of the number and its pattern: `{number: "$prefix{yyyy}{seq:8}"}`.
    pub key: Ordered<String>,
    pub fields: Ordered<Field>,
}

impl RecordType {
    /// Name and pattern of the number; a checked record type has exactly one.
    pub fn number(&self) -> Option<(&str, &str)> {
        let mut keys = self.key.iter().map(|(name, pattern)| (name, pattern.as_str()));
        keys.next().filter(|_| self.key.len() == 1)
    }
}

/// How a class of goods is traced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TraceProfile {
    pub class: ProductClass,
    pub codes: TraceCodes,
    /// What is said of a product.
    pub product: Ordered<ProductField>,
    /// What a lot must say of itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lot_required: Vec<LotField>,
    /// What a shipment must say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_ship: Vec<ShipField>,
}

/// Classes of important products (重要产品).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProductClass {
    Agri,
    Food,
    Drug,
    AgriInput,
    Equipment,
    Hazmat,
}

/// How products, items and lots are named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TraceCodes {
    pub item: ItemCode,
    pub lot: LotCode,
}

/// An item's code: its product's code, then a serial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemCode {
    /// What the product's code must pass.
    pub check: Check,
    pub serial: Serial,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Serial {
    /// 20 random characters of 0-9 and A-Z: nobody guesses a code that was never printed.
    Random20,
}

impl Serial {
    pub const fn len(self) -> usize {
        match self {
            Self::Random20 => 20,
        }
    }

    pub const fn is_empty(self) -> bool {
        false
    }

    /// Whether a serial has this form.
    pub fn accepts(self, serial: &str) -> bool {
        serial.len() == self.len() && serial.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LotCode {
    /// Longest lot number.
    pub max: usize,
}

/// A field of a product: a type alone, or a field in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct ProductField(pub Field);

impl<'de> Deserialize<'de> for ProductField {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        super::short_field::deserialize(d).map(Self)
    }
}

/// What a lot can say of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LotField {
    MadeOn,
    ExpireOn,
    Quantity,
    Place,
    Line,
}

/// What a shipment can say of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShipField {
    /// Who is to receive it.
    Destination,
}

/// How instances meet, in the same atomic step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RuleForm", into = "RuleForm")]
#[schemars(with = "RuleForm")]
pub enum Rule {
    /// When an event happens, another instance is called.
    On { event: Target, call: MethodRef, with: Ordered<String> },
    /// A call is carried out only for a subject with a valid credential.
    Require { credential: String, subject: String, before: MethodRef },
}
