//! The suppliers view.

use crate::{Column, Recorded, Unfit, View, words::tokens};
use contract::fleet::Supplier;
use domain::{AnyEvent, Decider, supplier::Event};

impl View for Supplier {
    const NAME: &'static str = "suppliers";
    const STREAM: &'static str = domain::supplier::Supplier::NAME;

    fn key(event: &Recorded) -> Option<String> {
        matches!(event.event, AnyEvent::Supplier(_)).then(|| event.stream_id().to_owned())
    }

    fn project(view: Option<Self>, event: &Recorded) -> Result<Self, Unfit> {
        let AnyEvent::Supplier(happened) = &event.event else { return Err(Unfit("not an event of a supplier")) };
        let id = event.stream_id().parse().map_err(|_| Unfit("the stream id of a supplier is a UUID"))?;
        let profile = match (view, happened) {
            (None, Event::Registered { profile, .. }) | (Some(_), Event::Updated { profile, .. }) => profile,
            (Some(_), Event::Registered { .. }) => return Err(Unfit("the supplier is already registered")),
            (None, Event::Updated { .. }) => return Err(Unfit("the supplier is not registered")),
        };
        Ok(Self {
            id,
            name: profile.display_name.to_string(),
            legal_name: profile.legal_name.to_string(),
            description: profile.description.as_ref().map(ToString::to_string).unwrap_or_default(),
            country: profile.country.to_string(),
        })
    }

    fn columns(&self) -> Vec<(&'static str, Column)> {
        vec![("name", self.name.as_str().into()), ("tokens", Column::Words(tokens([self.name.as_str(), &self.legal_name])))]
    }
}
