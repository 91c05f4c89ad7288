//! Holds responses to the OpenAPI document: as much of JSON Schema as the document uses, with every field that
//! is not described refused.

use serde_json::Value;

use crate::call::Response;

const DOCUMENT: &str = include_str!("../../src/http/api/openapi.json");

/// The response is one that the document describes for this operation.
pub(crate) fn check(operation: &str, response: &Response) {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap();
    let mut operations = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|path| {
            let operations = path.as_object().unwrap().values();
            operations.filter(|found| found["operationId"] == operation)
        });
    let found = operations
        .next()
        .unwrap_or_else(|| panic!("{operation} is not described"));
    let described = &found["responses"][response.status.to_string()];
    assert!(
        !described.is_null(),
        "{operation} is not described as answering {response:?}"
    );
    let described = resolved(&document, described);
    if !response.head.contains("content-type: application/json") {
        return;
    }
    let schema = &described["content"]["application/json"]["schema"];
    assert!(
        !schema.is_null(),
        "{operation} is not described as answering with JSON: {response:?}"
    );
    if let Err(fault) = fits(&document, schema, &response.body) {
        panic!("{operation}: {fault} in {}", response.text);
    }
}

fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(path) => document.pointer(path.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

fn fits(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let schema = resolved(document, schema);
    if let Some(choices) = schema["oneOf"].as_array() {
        let fits_one = choices
            .iter()
            .any(|choice| fits(document, choice, value).is_ok());
        return fits_one
            .then_some(())
            .ok_or(format!("{value} is none of {choices:?}"));
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.clone(),
        kind => vec![kind.clone()],
    };
    if !kinds
        .iter()
        .any(|kind| is_of(kind.as_str().unwrap(), value))
    {
        return Err(format!("{value} is not {kinds:?}"));
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        return Err(format!("{value} is not one of {words:?}"));
    }
    if let (Some(pattern), Some(text)) = (schema["pattern"].as_str(), value.as_str())
        && !(text.len() == 16 && pattern.contains(&text[..3]))
    {
        return Err(format!("{text} is not {pattern}"));
    }
    if let Some(items) = value.as_array() {
        items
            .iter()
            .try_for_each(|item| fits(document, &schema["items"], item))?;
    }
    let (Some(fields), Some(described)) = (value.as_object(), schema["properties"].as_object())
    else {
        return Ok(());
    };
    for name in schema["required"].as_array().into_iter().flatten() {
        if !fields.contains_key(name.as_str().unwrap()) {
            return Err(format!("{name} is missing"));
        }
    }
    for (name, value) in fields {
        let schema = described
            .get(name)
            .ok_or(format!("{name} is not described"))?;
        fits(document, schema, value).map_err(|fault| format!("{name}: {fault}"))?;
    }
    Ok(())
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the document has a type {other}"),
    }
}

#[test]
fn what_is_not_as_described_is_found() {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap();
    let schema = &document["components"]["schemas"]["Live"];
    let live = serde_json::json!({
        "participant_id": "PA_0000000000001", "identity": "a", "name": "A", "started_at": 1, "media_type": "audio",
    });
    assert_eq!(fits(&document, schema, &live), Ok(()));
    for (name, value) in [
        ("participant_id", "TR_0000000000001".into()),
        ("started_at", "1".into()),
        ("media_type", "smell".into()),
        ("more", 1.into()),
    ] {
        let mut other = live.clone();
        other[name] = value;
        assert!(fits(&document, schema, &other).is_err(), "{name}");
    }
    let mut less = live;
    less.as_object_mut().unwrap().remove("name");
    assert!(fits(&document, schema, &less).is_err());
}
