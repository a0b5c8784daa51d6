//! Whatever stands behind the `?` of an address is a query or is refused as a bad request.
#![no_main]

use api::extract::Query;
use axum_core::extract::FromRequestParts;
use contract::{Code, Listing, launch::BoardQuery, operations::LogQuery, security::SecurityQuery};
use libfuzzer_sys::fuzz_target;

fn ask<T: serde::de::DeserializeOwned + Send>(query: &str) {
    let Ok(request) = http::Request::builder().uri(format!("/?{query}")).body(()) else { return };
    let (mut parts, ()) = request.into_parts();
    if let Err(refused) = futures::executor::block_on(Query::<T>::from_request_parts(&mut parts, &())) {
        assert_eq!(refused.code(), Code::BadRequest);
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(query) = std::str::from_utf8(bytes) else { return };
    ask::<BoardQuery>(query);
    ask::<Listing>(query);
    ask::<LogQuery>(query);
    ask::<SecurityQuery>(query);
});
