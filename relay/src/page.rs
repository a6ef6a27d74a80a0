//! The page's files: taken into the binary when it is built for release, read from the page's `dist` folder in a debug
//! build, so that a new page needs no new relay.

use std::borrow::Cow;

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../web/app/dist"]
#[allow_missing = true]
struct Dist;

/// One file of the page.
#[derive(Debug, Clone)]
pub struct Asset {
    /// Its bytes.
    pub bytes: Cow<'static, [u8]>,
    /// Its media type.
    pub media_type: String,
    /// A strong validator for HTTP caches, with its quotes.
    pub etag: String,
    /// Whether its name holds a hash of its bytes, so that it never changes under that name.
    pub immutable: bool,
}

/// Shown where the page was not built.
const NO_PAGE: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>tabchain-relay</title>
<h1>The relay runs, but it was built without the page</h1>
<p><code>cargo xtask run</code> builds both. The relay itself is at your service: <a href=bootstrap.json>bootstrap.json</a>.
";

impl Asset {
    /// A file with its path inside the page and the SHA-256 of its bytes.
    pub fn new(path: &str, bytes: Cow<'static, [u8]>, hash: &[u8; 32]) -> Self {
        Self { bytes, media_type: media_type(path), etag: etag(hash), immutable: path.starts_with("assets/") }
    }
}

/// The file at a URL path, given without its leading slash; the empty path is the index page.
pub fn find(path: &str) -> Option<Asset> {
    let path = if path.is_empty() { "index.html" } else { path };
    match Dist::get(path) {
        Some(file) => Some(Asset::new(path, file.data, &file.metadata.sha256_hash())),
        None if path == "index.html" => Some(Asset::new(path, NO_PAGE.as_bytes().into(), &[0; 32])),
        None => None,
    }
}

/// Whether the page itself is there, and not only the word that it is missing.
pub fn is_built() -> bool {
    Dist::get("index.html").is_some()
}

fn etag(hash: &[u8; 32]) -> String {
    use std::fmt::Write as _;
    let mut tag = String::from("\"");
    for byte in &hash[..16] {
        write!(tag, "{byte:02x}").expect("writing into a string doesn't fail");
    }
    tag.push('"');
    tag
}

fn media_type(path: &str) -> String {
    let guess = mime_guess::from_path(path).first_or_octet_stream();
    let is_text = guess.type_() == "text" || guess.subtype() == "javascript" || guess.subtype() == "json";
    if is_text && guess.get_param("charset").is_none() {
        format!("{guess}; charset=utf-8")
    } else {
        guess.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::media_type;

    #[test]
    fn media_types_are_what_browsers_insist_on() {
        let cases = [
            ("assets/tabchain-1a2b.wasm", "application/wasm"),
            ("assets/index.js", "text/javascript; charset=utf-8"),
            ("index.html", "text/html; charset=utf-8"),
            ("style.css", "text/css; charset=utf-8"),
            ("icon.svg", "image/svg+xml"),
            ("manifest.webmanifest", "application/manifest+json"),
            ("unknown", "application/octet-stream"),
        ];
        for (path, expected) in cases {
            assert_eq!(media_type(path), expected, "{path}");
        }
    }
}
