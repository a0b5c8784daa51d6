//! Where a request comes from: the peer, or, behind a proxy that is trusted, who the proxy says it serves.

use crate::config::Network;
use axum::extract::{ConnectInfo, FromRequestParts};
use http::{Extensions, HeaderMap, request::Parts};
use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

/// How many hops of `X-Forwarded-For` are looked at, from the nearest on.
const HOPS_MAX: usize = 8;
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The address of the one who asks. Unknown for a request that was made in this process; shown as an empty text then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Address(Option<IpAddr>);

impl Address {
    /// This one.
    #[must_use]
    pub const fn of(ip: IpAddr) -> Self {
        Self(Some(ip.to_canonical()))
    }

    /// Of a request whose peer is `peer`. The header of a peer that is not among `trusted` is not believed.
    #[must_use]
    pub fn found(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[Network]) -> Self {
        let Some(mut from) = peer.map(|peer| peer.to_canonical()) else { return Self(None) };
        let named: Vec<&str> =
            headers.get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).collect();
        for hop in named.iter().rev().take(HOPS_MAX) {
            if !is_trusted(from, trusted) {
                break;
            }
            let Ok(next) = hop.trim().parse::<IpAddr>() else { break };
            from = next.to_canonical();
        }
        Self(Some(from))
    }

    /// What limits count by: an IPv4 address, or the network of an IPv6 one, of which one person has as many as they like.
    #[must_use]
    pub fn network(&self) -> IpAddr {
        match self.0 {
            Some(IpAddr::V6(ip)) => {
                let [a, b, c, d, ..] = ip.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            Some(v4) => v4,
            None => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |ip| ip.fmt(f))
    }
}

/// Whether an address is one of the proxies that are believed.
#[must_use]
pub fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.holds(address))
}

/// The peer of a connection.
#[must_use]
pub fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip())
}

impl<S: Send + Sync> FromRequestParts<S> for Address {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let found = parts.extensions.get::<Self>().copied();
        Ok(found.unwrap_or_else(|| Self::found(peer(&parts.extensions), &parts.headers, &[])))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }
    fn found(peer: &str, forwarded: &[&str]) -> String {
        let headers = forwarded.iter().map(|line| (http::HeaderName::from_static(FORWARDED_FOR), line.parse().unwrap())).collect();
        Address::found(Some(ip(peer)), &headers, &["10.0.0.0/30".parse().unwrap()]).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(found("192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
        assert_eq!(found("10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(
            found("10.0.0.1", &["198.51.100.1, 203.0.113.9, 10.0.0.2"]),
            "203.0.113.9",
            "what the client wrote first counts for nothing"
        );
        assert_eq!(found("10.0.0.1", &["198.51.100.1", "203.0.113.9"]), "203.0.113.9");
        assert_eq!(found("10.0.0.1", &["nonsense"]), "10.0.0.1");
        assert_eq!(found("::ffff:10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
    }

    #[test]
    fn limits_count_networks() {
        let of = |text| Address::of(ip(text)).network();
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), ip("192.0.2.1"));
    }
}
