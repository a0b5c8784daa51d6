//! The names of fields in log lines: one name per thing, over all crates. A test reads the sources and finds names that are not here.

/// Every name there is, with what it says.
pub const NAMES: &[(&str, &str)] = &[
    ("account.id", "the account that asked, or that the line is about"),
    ("actor.id", "the account that did it to another"),
    ("cause", "the event that a job follows from"),
    ("commands", "how many commands"),
    ("customer.id", "a customer"),
    ("differing", "how many documents differ"),
    ("documents", "how many documents of a view"),
    ("duration_ms", "how long it took, in milliseconds"),
    ("epoch", "which change of hands"),
    ("event", "a kind of event"),
    ("events", "how many events"),
    ("folded_ms", "how much of it folding took, in milliseconds"),
    ("http.method", "the method of a request"),
    ("http.route", "the route of a request as declared, never the path itself"),
    ("http.status", "the status of its answer"),
    ("job.kind", "a kind of job"),
    ("launch.id", "a launch"),
    ("live", "whether a follower reads as events come, not what was there before"),
    ("member", "a process that shares a projection"),
    ("notification.id", "a notification"),
    ("owned", "partitions of a projection"),
    ("payment.id", "a payment"),
    ("position", "a place in the log"),
    ("projection", "a projection"),
    ("request.id", "the request that the line belongs to; the header Request-Id of its answer"),
    ("role", "what an account may do"),
    ("security.event", "a kind of security event"),
    ("service", "the service that was asked"),
    ("stream", "a stream as <type>/<id>"),
    ("stream.id", "the id of a stream"),
    ("stream.type", "the type of a stream"),
    ("streams", "how many streams"),
    ("unsequenced", "events that have no place in the log yet"),
    ("version", "a version of a form, view or snapshot"),
    ("view", "a view"),
    ("without", "events that were skipped"),
];

/// The name as MongoDB keeps it: a dot would mean a document in a document.
#[must_use]
pub fn stored(name: &str) -> String {
    name.replace(['.', '$'], "_")
}

/// The name that is kept as `stored`.
#[must_use]
pub fn named(kept: &str) -> String {
    NAMES.iter().map(|(name, _)| *name).find(|name| stored(name) == kept).unwrap_or(kept).to_owned()
}
