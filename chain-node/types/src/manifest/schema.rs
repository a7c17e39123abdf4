//! JSON Schema of the crate's own values, for forms, OpenAPI and editors.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::account::Custody;
use crate::bytes::{Hash, PublicKey};
use crate::genesis::Text;

macro_rules! hexadecimal {
    ($name:ident, $description:literal) => {
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "description": $description, "type": "string", "pattern": "^[0-9a-f]{64}$" })
            }
        }
    };
}

hexadecimal!(Hash, "SHA-256, 64 hexadecimal digits; a byte string in CBOR");
hexadecimal!(PublicKey, "Ed25519 public key, 64 hexadecimal digits; a byte string in CBOR");

impl JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "a text in both languages",
            "type": "object",
            "properties": { "zh": { "type": "string" }, "en": { "type": "string" } },
            "required": ["zh", "en"],
            "additionalProperties": false
        })
    }
}

impl JsonSchema for Custody {
    fn schema_name() -> Cow<'static, str> {
        "Custody".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "who holds the secret key", "type": "string", "enum": ["self", "platform"] })
    }
}
