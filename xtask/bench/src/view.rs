//! From the answer to a command to the page that shows it.

use crate::booking::Desk;
use anyhow::{Result, bail};
use std::time::Instant;

/// Holds that are each looked for.
const HOLDS: usize = 500;

/// Milliseconds from each hold's answer to the answer of a read that shows it, which waits for the view.
pub(crate) async fn commit_to_view(desk: &Desk) -> Result<Vec<f64>> {
    let launch = desk.launch().await?;
    let mut waits = Vec::with_capacity(HOLDS);
    for n in 0..HOLDS {
        let held = desk.hold(&launch, n).await?;
        let answered = Instant::now();
        let page = desk.get(desk.customer(n), &format!("/api/customer/launches/{launch}"), &held.position).await?;
        waits.push(answered.elapsed().as_secs_f64() * 1000.0);
        let shown = page["taken"].as_array().is_some_and(|taken| taken.iter().any(|seat| seat["seat"] == held.body["seats"][0]));
        if !shown || page["stale"] == true {
            bail!("hold {n} is not shown: stale {}", page["stale"]);
        }
    }
    Ok(waits)
}
