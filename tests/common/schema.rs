//! Whether what we print follows the schema that documents it.

use serde_json::Value;

/// Fails if the value does not follow the schema, or has a field that is not
/// described there.
#[track_caller]
pub fn follows(schema: &str, value: &Value) {
    let schema: Value = serde_json::from_str(schema).unwrap();
    let mut wrong = Vec::new();
    violations(&schema, &schema, value, "it", &mut wrong);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What of a value does not follow a schema, as far as our schemas go:
/// `$ref`, `const`, `enum`, `type`, `required`, `properties`, `items`.
fn violations(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.strip_prefix('#').unwrap();
        let schema = root.pointer(pointer).unwrap();
        return violations(root, schema, value, at, found);
    }
    let mut wrong = |what: &str| found.push(format!("{at}: {what}: {value}"));
    if schema.get("const").is_some_and(|only| only != value) {
        wrong("not the constant");
    }
    if schema["enum"]
        .as_array()
        .is_some_and(|all| !all.contains(value))
    {
        wrong("not in the enumeration");
    }
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = match &schema["type"] {
        Value::Null => true,
        Value::Array(types) => types.iter().any(|name| name == is),
        name => name == is,
    };
    if !fits {
        wrong("of another type");
    }
    let required = schema["required"].as_array().into_iter().flatten();
    for name in required.map(|name| name.as_str().unwrap()) {
        if value.is_object() && value.get(name).is_none() {
            wrong(&format!("without {name}"));
        }
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        // A field that the schema does not describe is not documented.
        match schema["properties"]
            .get(name)
            .or(schema.get("additionalProperties"))
        {
            Some(schema) => violations(root, schema, value, &format!("{at}.{name}"), found),
            None => found.push(format!("{at}.{name} is not described")),
        }
    }
    for value in value.as_array().into_iter().flatten() {
        violations(root, &schema["items"], value, &format!("{at}[]"), found);
    }
}
