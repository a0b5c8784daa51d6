//! Reads stored events of every form they ever had. The form an event has now is read directly; an older one goes through the steps that
//! its decider lists, each of which turns one old form into events as they are now, through the form that came next. A step may split an
//! event in several, give it another name, or drop it. What is stored never changes.
//!
//! To change a form: raise [`crate::Named::version`] of the event, keep the old fields as a struct that is an [`OldForm`], and list it in
//! [`crate::Decider::OLD_FORMS`]. Its golden file stays, and holds the step to what was written.

use crate::{Decider, Named, UnknownEvent};
use serde::de::DeserializeOwned;

/// The fields an event had in a version that is no longer written.
pub trait OldForm<E>: DeserializeOwned {
    /// The event type it is stored under.
    const EVENT_TYPE: &'static str;
    /// The version it is stored under, from 1.
    const VERSION: u32;

    /// What it means now: events in order, or none where it means nothing any more. One whose next form is old too makes that one and asks
    /// it, so that each step knows of two forms only.
    fn upcast(self) -> Vec<E>;
}

/// One entry of the steps of a decider, with the old form's type erased.
#[derive(Debug)]
pub struct Step<E> {
    event_type: &'static str,
    version: u32,
    read: fn(&str) -> Result<Vec<E>, serde_json::Error>,
}

impl<E> Step<E> {
    /// The step from the form `F`.
    #[must_use]
    pub const fn from<F: OldForm<E>>() -> Self {
        Self { event_type: F::EVENT_TYPE, version: F::VERSION, read: |payload| serde_json::from_str::<F>(payload).map(F::upcast) }
    }
    /// The event type and version it reads.
    #[must_use]
    pub const fn form(&self) -> (&'static str, u32) {
        (self.event_type, self.version)
    }
}

/// Reads a stored event of a stream of `D`, and gives what it means to `each` in order: nothing is given when it cannot be read. The form
/// that is written now costs no more than reading its text.
pub fn each<D: Decider>(event_type: &str, event_version: u32, payload: &str, mut each: impl FnMut(D::Event)) -> Result<(), UnknownEvent> {
    let unreadable = |error| UnknownEvent::Payload(D::NAME.to_owned(), error);
    if let Some(step) = D::OLD_FORMS.iter().find(|step| step.version == event_version && step.event_type == event_type) {
        (step.read)(payload).map_err(unreadable)?.into_iter().for_each(each);
        return Ok(());
    }
    let event: D::Event = serde_json::from_str(payload).map_err(unreadable)?;
    if event.name() != event_type || event.version() != event_version {
        let (stream_type, event_type) = (D::NAME.to_owned(), event_type.to_owned());
        return Err(UnknownEvent::Form { stream_type, event_type, event_version });
    }
    each(event);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde::{Deserialize, Serialize};

    /// A lamp that was once switched by a word, then by a level, and now by two events.
    #[derive(Debug, Clone, Default, Serialize, Deserialize)]
    struct Lamp;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "type", rename_all = "snake_case")]
    enum Event {
        Lit { watts: u32 },
        Turned { degrees: u32 },
    }
    impl Named for Event {
        fn name(&self) -> &'static str {
            match self {
                Self::Lit { .. } => "lit",
                Self::Turned { .. } => "turned",
            }
        }
        fn version(&self) -> u32 {
            match self {
                Self::Lit { .. } => 3,
                Self::Turned { .. } => 1,
            }
        }
    }

    #[derive(Deserialize)]
    struct LitV1 {
        how: String,
    }
    impl OldForm<Event> for LitV1 {
        const EVENT_TYPE: &'static str = "lit";
        const VERSION: u32 = 1;
        fn upcast(self) -> Vec<Event> {
            LitV2 { level: if self.how == "bright" { 10 } else { 1 }, degrees: 0 }.upcast()
        }
    }

    #[derive(Deserialize)]
    struct LitV2 {
        level: u32,
        degrees: u32,
    }
    impl OldForm<Event> for LitV2 {
        const EVENT_TYPE: &'static str = "lit";
        const VERSION: u32 = 2;
        fn upcast(self) -> Vec<Event> {
            vec![Event::Turned { degrees: self.degrees }, Event::Lit { watts: self.level * 6 }]
        }
    }

    #[derive(Deserialize)]
    struct DustedV1 {}
    impl OldForm<Event> for DustedV1 {
        const EVENT_TYPE: &'static str = "dusted";
        const VERSION: u32 = 1;
        fn upcast(self) -> Vec<Event> {
            vec![]
        }
    }

    impl Decider for Lamp {
        type Id = String;
        type Command = ();
        type Event = Event;
        type Refusal = crate::slug::Refusal;
        const NAME: &'static str = "lamp";
        const OLD_FORMS: &'static [Step<Event>] = &[Step::from::<LitV1>(), Step::from::<LitV2>(), Step::from::<DustedV1>()];
        fn decide(&self, (): &()) -> Result<Vec<Event>, Self::Refusal> {
            Ok(vec![])
        }
        fn evolve(self, _event: &Event) -> Self {
            self
        }
    }

    fn read(event_type: &str, version: u32, payload: &str) -> Result<Vec<Event>, String> {
        let mut events = Vec::new();
        each::<Lamp>(event_type, version, payload, |event| events.push(event)).map_err(|error| error.to_string())?;
        Ok(events)
    }

    #[test]
    fn every_form_means_what_it_meant() {
        let split = |degrees, watts| Ok(vec![Event::Turned { degrees }, Event::Lit { watts }]);
        assert_eq!(read("lit", 1, r#"{"type":"lit","how":"bright"}"#), split(0, 60));
        assert_eq!(read("lit", 2, r#"{"type":"lit","level":2,"degrees":90}"#), split(90, 12));
        assert_eq!(read("lit", 3, r#"{"type":"lit","watts":40}"#), Ok(vec![Event::Lit { watts: 40 }]));
        assert_eq!(read("dusted", 1, r#"{"type":"dusted"}"#), Ok(vec![]));
    }

    #[test]
    fn a_form_no_step_reads_is_refused_whole() {
        let unknown = |version: u32| Err(format!("no way to read lamp event lit of version {version}"));
        assert_eq!(read("lit", 4, r#"{"type":"lit","watts":40}"#), unknown(4));
        assert_eq!(read("lit", 0, r#"{"type":"lit","watts":40}"#), unknown(0));
        assert_eq!(read("lit", 1, r#"{"type":"turned","degrees":1}"#), Err("unreadable lamp event".to_owned()));
        assert_eq!(read("turned", 1, r#"{"type":"lit","watts":40}"#), Err("no way to read lamp event turned of version 1".to_owned()));
        assert_eq!(read("dusted", 2, r#"{"type":"dusted"}"#), Err("unreadable lamp event".to_owned()));
    }
}
