//! The listener, and an orderly end.

use super::{address::is_trusted, around::HEADERS_MAX, limits::Connections};
use crate::{config::Network, tls::Identity};
use anyhow::{Context, Result};
use axum::{Router, body::Body, extract::ConnectInfo, response::Response};
use http::Request;
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service as HyperService, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use rustls::ServerConfig;
use std::{convert::Infallible, future::Future, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// How long open requests have to end.
pub const DRAIN_FOR: Duration = Duration::from_secs(5);
/// How long a handshake may take.
const HANDSHAKE_FOR: Duration = Duration::from_secs(10);
/// How long a client may take to send a request's head, or be silent between requests.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// The most bytes of a request's head.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// How long nothing is accepted after that failed: there are too many open files, most likely.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// How many connections may wait to be accepted. A client beyond that is heard when it asks again, a second later.
const BACKLOG_MAX: u32 = 1_024;

/// Takes the address.
pub fn listen(address: SocketAddr) -> Result<TcpListener> {
    let open = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG_MAX)
    };
    open().with_context(|| format!("ASTRO_LISTEN: listen on {address}"))
}

/// Serves until `stop`, then lets open requests end. With `tls` every connection is encrypted, and who shows a certificate of ours is
/// named in the extensions of its requests ([`Identity`]). One of `proxies` brings the connections of many.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<Arc<ServerConfig>>,
    proxies: Vec<Network>,
    stop: CancellationToken,
) -> Result<()> {
    let router: Router = router.with_state(());
    let acceptor = tls.map(TlsAcceptor::from);
    let room = Connections::default();
    let ending = GracefulShutdown::new();
    loop {
        let (stream, address) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!("A connection cannot be accepted: {error}");
                    tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
                    continue;
                }
            },
        };
        // Closed without a word: an answer would cost as much as what is refused.
        let Some(held) = room.take(address.ip(), is_trusted(address.ip().to_canonical(), &proxies)) else { continue };
        let (router, acceptor, watcher) = (router.clone(), acceptor.clone(), ending.watcher());
        tokio::spawn(async move {
            if let Err(error) = converse(stream, address, router, acceptor, watcher).await {
                tracing::debug!("A connection broke off: {error:#}");
            }
            drop(held);
        });
    }
    drop(listener);
    if timeout(DRAIN_FOR, ending.shutdown()).await.is_err() {
        tracing::warn!("Some requests did not end in {} s and were cut off", DRAIN_FOR.as_secs());
    }
    Ok(())
}

/// All requests of one connection.
async fn converse(stream: TcpStream, address: SocketAddr, router: Router, acceptor: Option<TlsAcceptor>, watcher: Watcher) -> Result<()> {
    stream.set_nodelay(true)?;
    let Some(acceptor) = acceptor else { return http1(stream, answering(router, address, None), watcher).await };
    let stream = timeout(HANDSHAKE_FOR, acceptor.accept(stream)).await.context("no handshake in time")?.context("handshake")?;
    let (_, session) = stream.get_ref();
    let identity = session.peer_certificates().and_then(|chain| Identity::of(chain.first()?));
    http1(stream, answering(router, address, identity), watcher).await
}

async fn http1<S, H, F>(stream: S, service: H, watcher: Watcher) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    H: HyperService<Request<Incoming>, Response = Response, Error = Infallible, Future = F>,
    F: Future<Output = Result<Response, Infallible>>,
{
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(SILENCE_MAX).max_headers(HEADERS_MAX).max_buf_size(HEAD_BYTES_MAX);
    watcher.watch(builder.serve_connection(TokioIo::new(stream), service)).await.context("HTTP/1.1")
}

/// Answers with `router`, which is told who asks.
fn answering(
    router: Router,
    address: SocketAddr,
    identity: Option<Identity>,
) -> impl HyperService<
    Request<Incoming>,
    Response = Response,
    Error = Infallible,
    Future = impl Future<Output = Result<Response, Infallible>> + Send,
> + Send
+ Clone {
    service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(address));
        if let Some(identity) = identity {
            request.extensions_mut().insert(identity);
        }
        router.clone().oneshot(request.map(Body::new))
    })
}
