//! The apps' pages and files beside the services.

use crate::world::{Flight, World};
use reqwest::Method;
use std::{fs, path::PathBuf};
use uuid::Uuid;

/// Small stand-ins for the built apps; what is in them is no matter here.
pub(crate) fn built() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("astro-ui-{}", Uuid::new_v4().simple()));
    for (name, text) in [
        ("assets/base.css", "body { margin: 0 }"),
        ("assets/base.css.br", "small"),
        ("assets/fonts/inter.woff2", "font"),
        ("customer/customer.js", "export {}"),
        ("customer/customer_bg.wasm", "wasm"),
        ("supplier/supplier.js", "export {}"),
        ("employee/employee.js", "export {}"),
        ("admin/admin.js", "export {}"),
    ] {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_files_are_served_beside_the_services() {
    let folder = built();
    let world = World::with_pages(Some(folder.clone())).await;
    let (launch, slug) = world.launch(Flight::default()).await;
    let client = world.visitor();
    let get = |path: &'static str| client.request(Method::GET, path);

    let css = client.send(get("/assets/base.css")).await;
    assert_eq!((css.body.as_str(), css.headers["content-type"].to_str().unwrap()), (Some("body { margin: 0 }"), "text/css; charset=utf-8"));
    assert_eq!(css.headers["cache-control"], "public, no-cache");
    let small = client.send(get("/assets/base.css").header("accept-encoding", "gzip, br")).await;
    assert_eq!((small.headers["content-encoding"].to_str().unwrap(), small.body.as_str()), ("br", Some("small")));
    let same = client.send(get("/assets/base.css").header("if-none-match", &css.headers["etag"])).await;
    assert_eq!((same.status.as_u16(), same.body.is_null()), (304, true));
    let kept = client.send(get("/pkg/customer/customer_bg.wasm?v=1")).await;
    assert_eq!(kept.headers["content-type"], "application/wasm");
    assert!(kept.headers["cache-control"].to_str().unwrap().contains("immutable"));
    for missing in ["/assets/nothing.css", "/assets/../keys", "/pkg/customer/customer.js.br", "/pkg/nobody/nobody.js"] {
        assert_eq!(client.send(get(missing)).await.status, 404, "{missing}");
    }

    let board = client.send(get("/")).await;
    assert_eq!(board.headers["content-type"], "text/html; charset=utf-8");
    let html = board.body.as_str().unwrap();
    assert!(html.contains(slug.as_str()) && html.contains("Atlas V"), "the board is complete without scripts: {html}");
    assert!(!html.contains("<script>") && !html.contains(" style="), "nothing the policy forbids: {html}");
    assert!(board.headers["content-security-policy"].to_str().unwrap().contains("script-src 'self' 'wasm-unsafe-eval'"));
    let page = client.get(&format!("/launches/{slug}")).await;
    assert!(page.status.is_success() && page.body.as_str().unwrap().contains("Cape Canaveral"), "{page:?}");
    assert_eq!(client.get("/launches/no-such-launch").await.status, 404);
    // A page loaded anew after a command is not older than that, or says so: the browser keeps where the command stands.
    for (path, sequence, old) in
        [(format!("/launches/{slug}"), 1, false), (format!("/launches/{slug}"), 99, true), ("/".to_owned(), 99, true)]
    {
        let cookie = format!("astro-position=launch/{launch}@{sequence}");
        let page = client.send(client.request(Method::GET, &path).header("cookie", cookie)).await;
        assert_eq!(page.body.as_str().unwrap().contains("may be out of date"), old, "{path} at {sequence}: {page:?}");
    }
    for desk in ["/supplier", "/supplier/launches/x", "/employee/bookings", "/admin/logs"] {
        let shell = client.get(desk).await;
        assert!(shell.status.is_success() && shell.body.as_str().unwrap().contains("id=\"main\""), "{desk}: {shell:?}");
    }
    client.get("/api/supplier/nothing").await.refused(404, "not_found");
    assert_eq!(client.get("/health").await.body, "alive\n");
    client.until("/ready", |ready| ready["views"] == true && ready["nats"] == true).await;
    world.end().await;
    fs::remove_dir_all(folder).unwrap();
}
