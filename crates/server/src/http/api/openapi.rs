//! The API's description: the OpenAPI document, and the same as a page to read. Tests hold it to the routes.

use std::fmt::Write;
use std::sync::LazyLock;

use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use serde_json::Value;

const DOCUMENT: &str = include_str!("openapi.json");

/// Written once, when somebody first looks.
static PAGE: LazyLock<String> = LazyLock::new(|| {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap_or_default();
    written(&document)
});

pub(super) async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}

pub(super) async fn page() -> Response {
    // It has no script, and asks nobody for anything.
    let policy =
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";
    let headers = [(header::CONTENT_SECURITY_POLICY, policy)];
    (headers, Html(PAGE.as_str())).into_response()
}

const HEAD: &str = "<!doctype html>
<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">
<title>Plenum: the HTTP API</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; }
section { border-top: 1px solid #8886; padding: 0.75rem 0; }
h3 { font: 600 1rem/1.5 ui-monospace, monospace; margin: 0; overflow-wrap: anywhere; }
h3 b { display: inline-block; min-width: 4.5rem; }
p { margin: 0.25rem 0; }
pre { overflow-x: auto; padding: 0.6rem; border-radius: 6px; background: #8882; }
table { border-collapse: collapse; }
td { padding: 0.1rem 1rem 0.1rem 0; vertical-align: top; }
small { opacity: 0.75; }
</style>
";

/// The whole page.
fn written(document: &Value) -> String {
    let mut page = HEAD.to_owned();
    let text = |value: &Value| escaped(value.as_str().unwrap_or_default());
    // Writing to a string does not fail.
    let _ = write!(
        page,
        "<h1>Plenum: the HTTP API</h1><p>{}</p><p>As a document for programs: \
         <a href=\"/api/openapi.json\">openapi.json</a>.</p>",
        text(&document["info"]["description"])
    );
    for tag in items(&document["tags"]) {
        let _ = write!(page, "<h2>{}</h2>", text(&tag["name"]));
        for (path, method, operation) in operations(document) {
            if operation["tags"][0] == tag["name"] {
                section(&mut page, document, path, method, operation);
            }
        }
    }
    page.push_str("<h2>What they are made of</h2>");
    for (name, schema) in entries(&document["components"]["schemas"]) {
        let _ = write!(
            page,
            "<section id=\"{0}\"><h3>{0}</h3><p>{1}</p>{2}</section>",
            escaped(name),
            text(&schema["description"]),
            fields(schema)
        );
    }
    page.push_str("</html>\n");
    page
}

fn section(page: &mut String, document: &Value, path: &str, method: &str, operation: &Value) {
    let method = method.to_uppercase();
    let needs_token = !items(&operation["security"]).is_empty();
    let _ = write!(
        page,
        "<section><h3><b>{method}</b> {}</h3><p>{}. {}</p>",
        escaped(path),
        escaped(operation["summary"].as_str().unwrap_or_default()),
        escaped(operation["description"].as_str().unwrap_or_default())
    );
    let example = &operation["requestBody"]["content"]["application/json"]["example"];
    let mut command = match method.as_str() {
        "GET" => "curl".to_owned(),
        method => format!("curl -X {method}"),
    };
    if needs_token {
        command.push_str(" -H \"Authorization: Bearer $TOKEN\"");
    }
    if !example.is_null() {
        let _ = write!(command, " \\\n  --json '{example}'");
    }
    let _ = write!(command, " \\\n  http://localhost:8080{path}");
    let _ = write!(page, "<pre>{}</pre><table>", escaped(&command));
    for (status, response) in entries(&operation["responses"]) {
        let response = resolved(document, response);
        let _ = write!(
            page,
            "<tr><td>{}<td>{} <small>{}</small>",
            escaped(status),
            escaped(response["description"].as_str().unwrap_or_default()),
            shape(&response["content"]["application/json"]["schema"])
        );
    }
    page.push_str("</table></section>");
}

fn fields(schema: &Value) -> String {
    let mut table = String::from("<table>");
    for (name, field) in entries(&schema["properties"]) {
        let is_required = items(&schema["required"]).contains(&Value::from(name));
        let _ = write!(
            table,
            "<tr><td>{}{}<td>{}<td>{}",
            escaped(name),
            if is_required { "" } else { "?" },
            shape(field),
            escaped(field["description"].as_str().unwrap_or_default())
        );
    }
    let words: Vec<&str> = items(&schema["enum"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    if !words.is_empty() {
        let _ = write!(table, "<tr><td>{}", escaped(&words.join(", ")));
    }
    table + "</table>"
}

/// What a value is, in a few words.
fn shape(schema: &Value) -> String {
    if let Some(name) = schema["$ref"]
        .as_str()
        .and_then(|path| path.rsplit('/').next())
    {
        let name = escaped(name);
        return format!("<a href=\"#{name}\">{name}</a>");
    }
    match &schema["type"] {
        Value::String(kind) if kind == "array" => format!("[{}]", shape(&schema["items"])),
        Value::String(kind) if kind == "object" && schema["properties"].is_object() => {
            let fields = entries(&schema["properties"]);
            let fields = fields.map(|(name, field)| format!("{}: {}", escaped(name), shape(field)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        Value::String(kind) => escaped(kind),
        Value::Array(kinds) => {
            let kinds = kinds.iter().filter_map(Value::as_str);
            kinds.collect::<Vec<_>>().join(" or ")
        }
        _ => items(&schema["oneOf"])
            .iter()
            .map(shape)
            .collect::<Vec<_>>()
            .join(" or "),
    }
}

fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    entries(&document["paths"]).flat_map(|(path, operations)| {
        entries(operations).map(move |(method, operation)| (path, method, operation))
    })
}

fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let place = value["$ref"]
        .as_str()
        .and_then(|path| path.strip_prefix('#'));
    place
        .and_then(|place| document.pointer(place))
        .unwrap_or(value)
}

fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let entries = value.as_object().into_iter().flatten();
    entries.map(|(name, value)| (name.as_str(), value))
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use protocol::{EndReason, ErrorCode};

    use super::*;
    use crate::http::api::ROUTES;

    fn parsed() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
    }

    #[test]
    fn the_document_has_every_route_and_no_other_and_says_where_a_token_is_needed() {
        let document = parsed();
        let described: BTreeSet<(String, String, bool)> = operations(&document)
            .map(|(path, method, operation)| {
                let needs_token = !items(&operation["security"]).is_empty();
                (method.to_uppercase(), path.to_owned(), needs_token)
            })
            .collect();
        let served = ROUTES
            .iter()
            .map(|&(method, path, needs_token)| (method.to_owned(), path.to_owned(), needs_token));
        assert_eq!(described, served.collect());
    }

    #[test]
    fn every_path_says_what_its_parts_are() {
        let document = parsed();
        for (path, method, operation) in operations(&document) {
            let parts: BTreeSet<&str> = path
                .split('/')
                .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
                .collect();
            let named = items(&operation["parameters"]).iter();
            let named = named.map(|parameter| resolved(&document, parameter));
            let named: BTreeSet<&str> = named
                .filter(|parameter| parameter["in"] == "path")
                .filter_map(|parameter| parameter["name"].as_str())
                .collect();
            assert_eq!(parts, named, "{method} {path}");
        }
    }

    #[test]
    fn the_words_of_the_document_are_those_of_the_code() {
        let schemas = &parsed()["components"]["schemas"];
        let words = |schema: &Value| -> Vec<String> {
            let words = items(&schema["enum"]).iter().filter_map(Value::as_str);
            words.map(str::to_owned).collect()
        };
        let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words(&schemas["Error"]["properties"]["code"]), codes);
        let reasons = EndReason::ALL.map(EndReason::as_str);
        assert_eq!(words(&schemas["EndReason"]), reasons);
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn follow(document: &Value, value: &Value) {
            if let Some(path) = value["$ref"].as_str() {
                let place = path
                    .strip_prefix('#')
                    .expect("it is in the document itself");
                assert!(document.pointer(place).is_some(), "{path} leads nowhere");
            }
            match value {
                Value::Object(fields) => fields.values().for_each(|value| follow(document, value)),
                Value::Array(items) => items.iter().for_each(|value| follow(document, value)),
                _ => {}
            }
        }
        let document = parsed();
        follow(&document, &document);
    }

    #[test]
    fn the_page_has_every_route_with_an_example_and_no_script() {
        for (method, path, _) in ROUTES {
            assert!(
                PAGE.contains(&format!("<b>{method}</b> {path}<")),
                "{method} {path}"
            );
        }
        assert!(PAGE.matches("<pre>curl").count() == ROUTES.len() && !PAGE.contains("<script"));
        assert!(PAGE.contains("Authorization: Bearer $TOKEN"));
    }
}
