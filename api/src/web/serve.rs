//! The listener: every layer around the routers, and an orderly end.

use super::{guard, headers};
use anyhow::{Context, Result};
use axum::{Router, middleware};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;
use tower_http::{CompressionLevel, catch_panic::CatchPanicLayer, compression::CompressionLayer};

/// How long open requests have to end.
pub const DRAIN_FOR: Duration = Duration::from_secs(5);

/// `router` with everything that goes around it.
pub fn dressed(router: Router) -> Router {
    router
        .layer(middleware::from_fn(guard::same_origin))
        .layer(CatchPanicLayer::custom(guard::panicked))
        .layer(middleware::from_fn_with_state(Arc::new(Semaphore::new(guard::REQUESTS_MAX)), guard::limit))
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .layer(middleware::from_fn(headers::add))
}

/// Takes the address.
pub async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("ASTRO_LISTEN: listen on {address}"))
}

/// Serves until `stop`, then lets open requests end.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) -> Result<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let stopped = stop.clone();
    let serving = axum::serve(listener, service).with_graceful_shutdown(async move { stopped.cancelled().await });
    let drained = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN_FOR).await;
    };
    tokio::select! {
        served = serving.into_future() => served.context("serve"),
        () = drained => {
            tracing::warn!("Some requests did not end in {} s and were cut off", DRAIN_FOR.as_secs());
            Ok(())
        }
    }
}
