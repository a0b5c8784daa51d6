//! The OpenAPI documents are as they are kept in `api/openapi`; `ASTRO_UPDATE=1 cargo test -p api openapi` keeps them anew.

use api::{core::token::Service, services};
use contract::Code;
use std::{collections::BTreeSet, fs, path::Path};

fn kept(service: Service) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi").join(format!("{}.json", service.as_str()))
}

#[test]
fn openapi_documents_are_as_kept() {
    for service in Service::ALL {
        let now = services::openapi(service).to_pretty_json().unwrap() + "\n";
        if std::env::var_os("ASTRO_UPDATE").is_some() {
            fs::create_dir_all(kept(service).parent().unwrap()).unwrap();
            fs::write(kept(service), &now).unwrap();
        }
        let before = fs::read_to_string(kept(service)).unwrap_or_default();
        let differing = now.lines().zip(before.lines()).position(|(now, before)| now != before);
        assert!(
            now == before,
            "{} changed at line {:?}: look at the change, then run `ASTRO_UPDATE=1 cargo test -p api openapi`",
            kept(service).display(),
            differing.map(|line| line + 1)
        );
    }
}

#[test]
fn openapi_names_only_codes_there_are() {
    let codes: BTreeSet<String> = Code::ALL.iter().map(|code| serde_json::to_value(code).unwrap().as_str().unwrap().to_owned()).collect();
    let statuses: std::collections::BTreeMap<String, u16> =
        Code::ALL.iter().map(|code| (serde_json::to_value(code).unwrap().as_str().unwrap().to_owned(), code.status())).collect();
    for service in Service::ALL {
        let document = serde_json::to_value(services::openapi(service)).unwrap();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                for (status, response) in operation["responses"].as_object().unwrap() {
                    let number: u16 = status.parse().unwrap();
                    if number < 400 {
                        continue;
                    }
                    for code in response["description"].as_str().unwrap().split(' ') {
                        assert!(codes.contains(code), "{method} {path} {status}: {code}");
                        assert_eq!(statuses[code], number, "{method} {path}: {code}");
                    }
                }
            }
        }
    }
}
