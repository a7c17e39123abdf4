//! A product's field may be written as its type alone: `name: text`.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use super::fields::{Field, FieldType};

pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Field, D::Error> {
    struct ShortOrFull;

    impl<'de> Visitor<'de> for ShortOrFull {
        type Value = Field;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a field type, or a field with type and place")
        }

        fn visit_str<E: Error>(self, name: &str) -> Result<Field, E> {
            FieldType::deserialize(StrDeserializer::new(name)).map(Field::plain)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Field, A::Error> {
            Field::deserialize(MapAccessDeserializer::new(map))
        }
    }

    d.deserialize_any(ShortOrFull)
}
