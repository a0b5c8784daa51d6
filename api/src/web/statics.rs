//! The built files of the pages, kept in memory with their compressed forms and tags.

use anyhow::{Context, Result};
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use sha2::{Digest, Sha256};
use std::{collections::HashMap, fmt, fs, path::Path, sync::Arc};

/// All files of a folder, in bytes at most: more is a mistake.
const FOLDER_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Browsers ask each time whether a file is still the same, which costs them a few bytes.
const REVALIDATE: &str = "public, no-cache";
/// A page that names a file with a hash of what is in it (`?v=`) means this form of it for ever.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

#[derive(Clone)]
struct File {
    kind: &'static str,
    tag: HeaderValue,
    plain: Bytes,
    brotli: Option<Bytes>,
    gzip: Option<Bytes>,
}

/// Files by their path. Cheap to clone.
#[derive(Clone, Default)]
pub struct Statics(Arc<HashMap<String, File>>);

impl fmt::Debug for Statics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "wasm" => "application/wasm",
        "html" => "text/html; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "json" | "map" | "webmanifest" => "application/json",
        "woff2" => "font/woff2",
        "txt" | "md" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

impl Statics {
    /// Reads all files below `folder`; their paths start with `prefix`, such as `/assets/`.
    pub fn read(folder: &Path, prefix: &str) -> Result<Self> {
        let mut read = Vec::new();
        let mut total = 0;
        walk(folder, prefix, &mut read, &mut total).with_context(|| format!("ASTRO_UI: read {}", folder.display()))?;
        let mut found: HashMap<String, Bytes> = read.into_iter().collect();
        let names: Vec<String> = found.keys().filter(|name| !name.ends_with(".br") && !name.ends_with(".gz")).cloned().collect();
        let mut files = HashMap::with_capacity(names.len());
        for name in names {
            let Some(plain) = found.remove(&name) else { continue };
            let version = crate::keys::hex(&Sha256::digest(&plain)[..8]);
            let tag = HeaderValue::from_str(&format!("\"{version}\"")).context("a tag")?;
            let (brotli, gzip) = (found.remove(&format!("{name}.br")), found.remove(&format!("{name}.gz")));
            files.insert(name.clone(), File { kind: kind(&name), tag, plain, brotli, gzip });
        }
        Ok(Self(Arc::new(files)))
    }

    /// Both sets of files in one.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut files = (*self.0).clone();
        files.extend(other.0.iter().map(|(name, file)| (name.clone(), file.clone())));
        Self(Arc::new(files))
    }

    /// The answer, when there is such a file.
    #[must_use]
    pub fn answer(&self, method: &Method, path: &str, query: Option<&str>, headers: &HeaderMap) -> Option<Response> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return None;
        }
        let file = self.0.get(path)?;
        let fixed = query.is_some_and(|query| query.starts_with("v="));
        let mut response = Response::builder()
            .header(header::ETAG, &file.tag)
            .header(header::CACHE_CONTROL, if fixed { FOR_EVER } else { REVALIDATE })
            .header(header::VARY, "accept-encoding");
        let known = headers
            .get(header::IF_NONE_MATCH)
            .and_then(|tags| tags.to_str().ok())
            .is_some_and(|tags| tags.split(',').any(|tag| tag.trim().trim_start_matches("W/").as_bytes() == file.tag.as_bytes()));
        if known {
            return response.status(StatusCode::NOT_MODIFIED).body(Body::empty()).ok();
        }
        let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let accepts = |name: &str| accepted.split(',').any(|given| given.split(';').next().is_some_and(|given| given.trim() == name));
        let (bytes, encoding) = match (&file.brotli, &file.gzip) {
            (Some(brotli), _) if accepts("br") => (brotli, Some("br")),
            (_, Some(gzip)) if accepts("gzip") => (gzip, Some("gzip")),
            _ => (&file.plain, None),
        };
        if let Some(encoding) = encoding {
            response = response.header(header::CONTENT_ENCODING, encoding);
        }
        response = response.header(header::CONTENT_TYPE, file.kind).header(header::CONTENT_LENGTH, bytes.len());
        let body = if *method == Method::HEAD { Body::empty() } else { Body::from(bytes.clone()) };
        Some(response.body(body).unwrap_or_else(|error| crate::problem::ApiError::internal(error).into_response()))
    }
}

fn walk(folder: &Path, prefix: &str, read: &mut Vec<(String, Bytes)>, total: &mut u64) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let meta = fs::metadata(entry.path())?;
        if meta.is_dir() {
            walk(&entry.path(), &format!("{name}/"), read, total)?;
        } else {
            *total += meta.len();
            anyhow::ensure!(*total <= FOLDER_BYTES_MAX, "more than {} MiB of files", FOLDER_BYTES_MAX / 1024 / 1024);
            read.push((name, fs::read(entry.path())?.into()));
        }
    }
    Ok(())
}
