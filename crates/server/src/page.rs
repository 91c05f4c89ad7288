//! The demo page: the files of `web-demo/`, embedded in the binary (a debug build reads them from the
//! folder). It knows nothing of rooms.

use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

/// What a browser needs of the folder, and nothing else of it.
#[derive(RustEmbed)]
#[folder = "../../web-demo/"]
#[include = "*.html"]
#[include = "*.js"]
#[include = "*.css"]
#[include = "*.svg"]
#[include = "*.png"]
#[include = "*.ico"]
#[include = "*.webmanifest"]
#[exclude = "tests/*"]
#[exclude = "node_modules/*"]
#[exclude = ".*"]
struct Page;

/// Only the page's own scripts; pictures from anywhere, since avatars are; WebSockets named, because
/// Safari before 15.4 does not count them as 'self'.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; \
    img-src 'self' data: blob: http: https:; media-src 'self' blob: mediastream:; \
    style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'self'";

/// The file at a path, or 404.
pub(crate) async fn file(uri: Uri) -> Response {
    let path = match uri.path().trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    let Some(file) = Page::get(path) else {
        return (StatusCode::NOT_FOUND, "There is nothing here.\n").into_response();
    };
    let kind = content_type(file.metadata.mimetype());
    let headers = [
        (header::CONTENT_TYPE, kind),
        // A new binary may have a new page: asked again each time, it is small.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(CONTENT_SECURITY_POLICY),
        ),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
        // `plenum.js` and what it imports may be used by pages of other origins; there is nothing here
        // that is not public.
        (
            header::ACCESS_CONTROL_ALLOW_ORIGIN,
            HeaderValue::from_static("*"),
        ),
    ];
    (headers, file.data).into_response()
}

fn content_type(kind: &str) -> HeaderValue {
    let is_text = kind.starts_with("text/") && !kind.contains("charset");
    let kind = if is_text {
        format!("{kind}; charset=utf-8")
    } else {
        kind.to_owned()
    };
    HeaderValue::from_str(&kind).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_what_a_browser_needs_and_nothing_else() {
        for path in Page::iter() {
            assert!(
                !path.starts_with("tests") && !path.contains("node_modules"),
                "{path}"
            );
            assert!(!path.ends_with(".json") && !path.ends_with(".ts"), "{path}");
        }
        assert!(Page::get("package.json").is_none() && Page::get("../Cargo.toml").is_none());
    }

    #[test]
    fn text_says_that_it_is_utf_8() {
        assert_eq!(
            content_type("text/javascript"),
            "text/javascript; charset=utf-8"
        );
        assert_eq!(content_type("image/png"), "image/png");
    }
}
