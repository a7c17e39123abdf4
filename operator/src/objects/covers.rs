//! Whether a live object is what was wanted. Pure.

use serde_json::Value;

/// Whether every field that is wanted is there with that value. Fields that the API server or others added do not count;
/// a list must have as many items, in this order. Amounts are compared as amounts: `1024Mi` is `1Gi`.
pub fn covers(wanted: &Value, live: &Value) -> bool {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => wanted.iter().all(|(key, value)| match live.get(key) {
            Some(found) => covers(value, found),
            None => is_empty(value),
        }),
        (Value::Array(wanted), Value::Array(live)) => {
            wanted.len() == live.len() && wanted.iter().zip(live).all(|(wanted, live)| covers(wanted, live))
        }
        (Value::String(wanted), Value::String(live)) => wanted == live || same_amount(wanted, live),
        (wanted, Value::Null) => is_empty(wanted),
        _ => wanted == live,
    }
}

/// What the API server does not store: nothing, and maps and lists of nothing.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.values().all(is_empty),
        Value::Array(items) => items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// The API server stores some amounts in another unit than they were written in.
fn same_amount(one: &str, other: &str) -> bool {
    matches!((thousandths(one), thousandths(other)), (Some(one), Some(other)) if one == other)
}

/// An amount of Kubernetes (`50m`, `256Mi`, `2`) in thousandths, if it is a whole number of a unit.
pub fn thousandths(text: &str) -> Option<u128> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit: u128 = match unit {
        "m" => 1,
        "" => 1_000,
        "k" => 1_000_000,
        "M" => 1_000_000_000,
        "G" => 1_000_000_000_000,
        "T" => 1_000_000_000_000_000,
        "Ki" => 1_000 << 10,
        "Mi" => 1_000 << 20,
        "Gi" => 1_000 << 30,
        "Ti" => 1_000 << 40,
        _ => return None,
    };
    number.parse::<u128>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_others_added_does_not_count_and_what_they_changed_does() {
        let wanted = json!({"spec": {"replicas": 1, "ports": [{"name": "api", "port": 8080}], "selector": {}}});
        let mut live =
            json!({"spec": {"replicas": 1, "ports": [{"name": "api", "port": 8080, "protocol": "TCP"}]}, "status": {}});
        assert!(covers(&wanted, &live));
        live["spec"]["replicas"] = json!(0);
        assert!(!covers(&wanted, &live));
        live["spec"]["replicas"] = json!(1);
        live["spec"]["ports"].as_array_mut().unwrap().push(json!({"name": "other", "port": 1}));
        assert!(!covers(&wanted, &live));
    }

    #[test]
    fn an_amount_is_the_same_in_every_unit() {
        for (one, other, same) in [
            ("1024Mi", "1Gi", true),
            ("1000m", "1", true),
            ("50m", "50m", true),
            ("256Mi", "255Mi", false),
            ("1k", "1Ki", false),
            ("", "0", false),
            ("main", "main2", false),
        ] {
            assert_eq!(covers(&json!(one), &json!(other)), same, "{one} {other}");
        }
    }
}
