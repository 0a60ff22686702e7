//! The dashboard's files by their claims: all that pages name is there, and nothing from elsewhere.

use std::collections::BTreeSet;
use std::path::{Path as File, PathBuf};

use super::assets::{FILES, LIBRARY};
use super::*;

fn folder() -> PathBuf {
    File::new(env!("CARGO_MANIFEST_DIR")).join("assets")
}

fn names(folder: &File, root: &File, out: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names(&path, root, out);
        } else {
            out.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        }
    }
}

fn page_text() -> String {
    String::from_utf8(bundle().page.plain.bytes.to_vec()).unwrap()
}

/// Addresses below `assets/` in the page.
fn addresses() -> Vec<(String, String)> {
    let page = page_text();
    let found = page.split("assets/").skip(1).map(|rest| {
        let address = rest.split('"').next().unwrap();
        let (hash, name) = address.split_once('/').unwrap();
        (hash.to_owned(), name.to_owned())
    });
    found.collect()
}

async fn asked(path: &(String, String), headers: HeaderMap) -> Response {
    match file(headers, Path(path.clone())).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

#[test]
fn every_file_of_the_folder_is_in_the_binary() {
    let mut on_disk = BTreeSet::new();
    names(&folder(), &folder(), &mut on_disk);
    on_disk.remove("index.html");
    let inside: BTreeSet<_> = FILES.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(inside, on_disk);
}

#[test]
fn scripts_import_only_what_is_there() {
    for (name, _, bytes) in FILES.iter().filter(|(name, ..)| name.starts_with("js/")) {
        let text = std::str::from_utf8(bytes).unwrap();
        for line in text.lines().filter(|line| line.starts_with("import ")) {
            let target = line.rsplit('"').nth(1).unwrap();
            let path = folder().join(name).parent().unwrap().join(target);
            assert!(path.is_file(), "{name}: {target}");
        }
    }
}

#[test]
fn data_never_becomes_markup_or_code() {
    for (name, _, bytes) in FILES.iter().filter(|(name, ..)| name.starts_with("js/")) {
        let text = std::str::from_utf8(bytes).unwrap();
        for forbidden in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("]
        {
            assert!(!text.contains(forbidden), "{name}: {forbidden}");
        }
    }
    let page = page_text();
    for forbidden in ["<style", " style=", " onclick=", "javascript:", "http://", "https://"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert!(!page.contains("{{"), "every placeholder is filled");
}

#[tokio::test]
async fn what_the_page_names_is_there_and_kept_for_ever() {
    let addresses = addresses();
    assert!(addresses.len() > 5);
    for address in &addresses {
        let response = asked(address, HeaderMap::new()).await;
        assert_eq!(response.status(), StatusCode::OK, "{address:?}");
        assert_eq!(response.headers()[header::CACHE_CONTROL], FOR_EVER);
    }
    let library = addresses.iter().find(|(_, name)| name == LIBRARY).unwrap();
    let body = asked(library, HeaderMap::new()).await.into_body();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    assert!(body.len() > 3_000_000, "the library is whole");
    let head = std::str::from_utf8(&body[..400]).unwrap();
    assert!(head.contains("plotly.js") && head.contains("MIT"), "it carries its licence: {head}");
}

#[tokio::test]
async fn another_hash_is_another_version_and_not_here() {
    let (hash, name) = addresses().swap_remove(1);
    for path in [
        ("0000000000000000".to_owned(), name.clone()),
        ("0000000000000000".to_owned(), LIBRARY.to_owned()),
        (hash.clone(), "js/../js/main.js".to_owned()),
        (hash.clone(), "nothing.js".to_owned()),
        (hash, LIBRARY.to_owned()),
    ] {
        let response = asked(&path, HeaderMap::new()).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path:?}");
    }
}

#[tokio::test]
async fn files_come_compressed_and_are_not_sent_twice() {
    let path = addresses().into_iter().find(|(_, name)| name.ends_with("base.css")).unwrap();
    let gzip = HeaderMap::from_iter([(header::ACCEPT_ENCODING, "gzip".parse().unwrap())]);
    let plain = asked(&path, HeaderMap::new()).await;
    let small = asked(&path, gzip.clone()).await;
    assert_eq!(small.headers()[header::CONTENT_ENCODING], "gzip");
    assert_ne!(plain.headers()[header::ETAG], small.headers()[header::ETAG]);
    let mut known = gzip;
    known.insert(header::IF_NONE_MATCH, small.headers()[header::ETAG].clone());
    assert_eq!(asked(&path, known).await.status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn the_page_may_run_nothing_but_its_own_scripts() {
    let response = page(HeaderMap::new()).await.unwrap();
    let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'"));
    assert!(!policy.contains("unsafe"));
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-cache");
}
