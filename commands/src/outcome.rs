//! What a command is answered: done, refused, or not now.

use std::{fmt, str::FromStr, time::Duration};

/// A command that was accepted and is committed.
#[derive(Debug, Clone, PartialEq)]
pub struct Done<E> {
    /// What it caused; nothing when it was already so.
    pub events: Vec<E>,
    /// The stream as it stood then.
    pub at: StreamVersion,
    /// Whether this is the answer to an earlier request with the same command id.
    pub repeated: bool,
}

/// A version of a stream. Its text, for instance `launch/0190…@42`, is the value of the header `Astro-Position`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StreamVersion {
    /// The kind of stream.
    pub stream_type: String,
    /// Which one.
    pub stream_id: String,
    /// Its last event's sequence; 0 when it has none.
    pub sequence: u64,
}

impl StreamVersion {
    /// Kind of stream, which of that kind, and sequence.
    #[must_use]
    pub fn parts(&self) -> (&str, &str, u64) {
        (&self.stream_type, &self.stream_id, self.sequence)
    }
}

impl fmt::Display for StreamVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}", self.stream_type, self.stream_id, self.sequence)
    }
}

/// The text is not a stream version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a stream version such as `launch/0190@42`")]
pub struct NotAStreamVersion;

/// The longest text read as a stream version, in bytes; it comes from outside.
const TEXT_BYTES_MAX: usize = 256;

impl FromStr for StreamVersion {
    type Err = NotAStreamVersion;
    fn from_str(text: &str) -> Result<Self, NotAStreamVersion> {
        let (stream, sequence) = text.rsplit_once('@').ok_or(NotAStreamVersion)?;
        let (stream_type, stream_id) = stream.split_once('/').ok_or(NotAStreamVersion)?;
        let word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if text.len() > TEXT_BYTES_MAX || !word(stream_type) || !word(stream_id) || !sequence.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotAStreamVersion);
        }
        let sequence = sequence.parse().map_err(|_| NotAStreamVersion)?;
        Ok(Self { stream_type: stream_type.to_owned(), stream_id: stream_id.to_owned(), sequence })
    }
}

/// Why a command was not done.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Failure<R: std::error::Error> {
    /// The rules refuse it. The refusal is recorded: the same command id is refused for ever.
    #[error("refused: {0}")]
    Refused(R),
    /// The command id was used before for something else.
    #[error("this command id was used before with another request")]
    KeyReused,
    /// Too much to do; nothing was done for this command.
    #[error("busy, retry after {} ms", retry_after.as_millis())]
    Busy {
        /// When to ask again.
        retry_after: Duration,
    },
    /// The store cannot answer. Whether the command was done is not known: asking again with the same id tells.
    #[error("the event store cannot answer: {0}")]
    Unavailable(String),
}

impl<R: std::error::Error> Failure<R> {
    /// The same failure with its refusal put into other words.
    pub fn map_refused<S: std::error::Error>(self, other: impl FnOnce(R) -> S) -> Failure<S> {
        match self {
            Self::Refused(refusal) => Failure::Refused(other(refusal)),
            Self::KeyReused => Failure::KeyReused,
            Self::Busy { retry_after } => Failure::Busy { retry_after },
            Self::Unavailable(why) => Failure::Unavailable(why),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_stream_version_reads_back() {
        let version = StreamVersion { stream_type: "launch".into(), stream_id: "0190-a".into(), sequence: 42 };
        assert_eq!(version.to_string(), "launch/0190-a@42");
        assert_eq!(version.to_string().parse(), Ok(version));
    }

    #[test]
    fn refuses_what_is_no_stream_version() {
        for text in [
            "",
            "launch",
            "launch/x",
            "launch@1",
            "/x@1",
            "launch/@1",
            "launch/x@",
            "launch/x@-1",
            "launch/x@+1",
            "launch/x y@1",
            "launch/x@1@",
            "a/b/c@1",
        ] {
            assert_eq!(text.parse::<StreamVersion>(), Err(NotAStreamVersion), "{text}");
        }
    }
}
