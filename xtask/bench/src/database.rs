//! A database of its own for one measurement, gone at its end.

use crate::Options;
use anyhow::{Context, Result};
use sqlx::PgPool;
use std::path::Path;
use uuid::Uuid;

pub(crate) struct Database {
    admin_url: String,
    pub(crate) name: String,
    pub(crate) url: String,
}

impl Database {
    /// Empty.
    pub(crate) async fn create(options: &Options) -> Result<Self> {
        let name = format!("bench_{}", Uuid::new_v4().simple());
        let admin_url = options.postgres_url.clone();
        let admin = PgPool::connect(&admin_url).await.context("PostgreSQL")?;
        sqlx::raw_sql(&format!("CREATE DATABASE {name}")).execute(&admin).await?;
        admin.close().await;
        let (server, parameters) = admin_url.split_once('?').map_or((admin_url.as_str(), String::new()), |(a, b)| (a, format!("?{b}")));
        let server = server.rsplit_once('/').map_or(server, |(server, _)| server);
        let url = format!("{server}/{name}{parameters}");
        Ok(Self { admin_url, name, url })
    }

    pub(crate) async fn drop(self) -> Result<()> {
        let admin = PgPool::connect(&self.admin_url).await?;
        sqlx::raw_sql(&format!("DROP DATABASE {} WITH (FORCE)", self.name)).execute(&admin).await?;
        admin.close().await;
        Ok(())
    }
}

/// Clock ticks of `/proc` in a second, on every Linux this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor seconds used so far by this process and by the whole PostgreSQL server behind `pool`.
pub(crate) async fn processor_seconds(pool: &PgPool) -> Result<f64> {
    let backend: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(pool).await?;
    let parent = stat(&backend.to_string()).context("the server runs on another machine")?.parent;
    let mut ticks = stat("self").context("no /proc")?.own;
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(process) = name.to_str().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).and_then(stat) else { continue };
        if process.parent == parent {
            ticks += process.own;
        } else if name.to_str() == Some(&parent.to_string()) {
            ticks += process.own + process.of_ended_children;
        }
    }
    Ok(ticks / TICKS_PER_SECOND)
}

/// Processor seconds used so far by one process.
pub(crate) fn seconds_of(process: &str) -> Result<f64> {
    Ok(stat(process).context("the process is gone")?.own / TICKS_PER_SECOND)
}

struct Stat {
    parent: u32,
    own: f64,
    of_ended_children: f64,
}

fn stat(process: &str) -> Option<Stat> {
    let text = std::fs::read_to_string(Path::new("/proc").join(process).join("stat")).ok()?;
    // The name may hold spaces; what follows it does not. The first field then is the state.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some(Stat { parent: fields.get(1)?.parse().ok()?, own: ticks(11)? + ticks(12)?, of_ended_children: ticks(13)? + ticks(14)? })
}
