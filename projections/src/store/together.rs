//! Several bulk writes of MongoDB in one transaction: all of it is there or nothing, and the disk is waited for once. Only a replica set (of
//! one server, too) has transactions; where there are none, and where others write the same at the same moment, it is left to the caller to
//! do without.

use super::StoreFault;
use mongodb::{
    ClientSession, Database,
    bson::RawDocumentBuf,
    error::{Error, ErrorKind, TRANSIENT_TRANSACTION_ERROR},
    options::WriteConcern,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// How often it is tried while others write the same documents.
const TRIES: u32 = 3;
/// Codes of servers that are no replica set.
const NO_TRANSACTIONS: [i32; 2] = [20, 263];

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All is written.
    Written,
    /// Nothing is: the last command found no document.
    NotFound,
    /// Nothing is, and it has to be done without a transaction.
    Apart,
}

/// Writes in transactions, as long as the server has them. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Together {
    concern: WriteConcern,
    possible: Arc<AtomicBool>,
}

impl Together {
    pub(super) fn new(concern: WriteConcern) -> Self {
        Self { concern, possible: Arc::new(AtomicBool::new(true)) }
    }

    /// Runs write commands, in order.
    pub(super) async fn run(&self, database: &Database, commands: &[RawDocumentBuf]) -> Result<Outcome, StoreFault> {
        if !self.possible.load(Ordering::Relaxed) {
            return Ok(Outcome::Apart);
        }
        let mut session = database.client().start_session().await?;
        for _ in 0..TRIES {
            match self.attempt(database, &mut session, commands).await {
                Ok(outcome) => return Ok(outcome),
                Err(error) if is_missing(&error) => {
                    tracing::warn!("MongoDB is no replica set and has no transactions: views are written step by step, which is slower");
                    self.possible.store(false, Ordering::Relaxed);
                    return Ok(Outcome::Apart);
                }
                Err(error) if error.contains_label(TRANSIENT_TRANSACTION_ERROR) => {
                    tracing::debug!("Writing together again: {error}");
                    // Most likely it is over already; the session has to hear of it.
                    let _ = session.abort_transaction().await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Outcome::Apart)
    }

    /// A session that is dropped within a transaction gives that up.
    async fn attempt(&self, database: &Database, session: &mut ClientSession, commands: &[RawDocumentBuf]) -> Result<Outcome, Error> {
        session.start_transaction().write_concern(self.concern.clone()).await?;
        let mut found = true;
        for command in commands {
            let answer = database.run_raw_command(command.clone()).session(&mut *session).await?;
            if answer.get_array("writeErrors").is_ok_and(|errors| !errors.is_empty()) {
                session.abort_transaction().await?;
                return Ok(Outcome::Apart);
            }
            found = answer.get("n").and_then(super::mongo::number).is_some_and(|n| n > 0);
        }
        if !found {
            session.abort_transaction().await?;
            return Ok(Outcome::NotFound);
        }
        session.commit_transaction().await?;
        Ok(Outcome::Written)
    }
}

fn is_missing(error: &Error) -> bool {
    match &*error.kind {
        ErrorKind::Command(command) => NO_TRANSACTIONS.contains(&command.code),
        ErrorKind::Transaction { message, .. } => message.contains("not supported by this deployment"),
        ErrorKind::SessionsNotSupported => true,
        _ => false,
    }
}
