//! The readable address of a launch, and the claim that makes it unique: one stream per slug.

use crate::{Decider, Named, id::LaunchId, rocket::Destination};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Lower-case letters, digits and single dashes: `atlas-v-551-cape-canaveral-low-earth-2028-01-02`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String))]
pub struct Slug(String);

/// The text is not a slug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a slug has 1 to {} lower-case letters, digits and single dashes", Slug::BYTES_MAX)]
pub struct NotASlug;

impl Slug {
    /// The longest slug, in bytes.
    pub const BYTES_MAX: usize = 160;

    /// The slug of a launch; `n` above 1 tells apart launches that would share one.
    #[must_use]
    pub fn of_launch(rocket: &str, spaceport: &str, destination: Destination, day: Date, n: u32) -> Self {
        let suffix = if n > 1 { format!("-{n}") } else { String::new() };
        let words = |text: &str| Self::words(text).chars().take(50).collect::<String>().trim_matches('-').to_owned();
        Self(format!("{}-{}-{}-{day}{suffix}", words(rocket), words(spaceport), Self::words(destination.as_str())))
    }
    /// `text` in the letters of a slug; `x` when nothing of it is left.
    #[must_use]
    pub fn words(text: &str) -> String {
        let mut slug = String::with_capacity(text.len());
        for c in text.chars().flat_map(char::to_lowercase) {
            if c.is_ascii_alphanumeric() {
                slug.push(c);
            } else if !slug.ends_with('-') && !slug.is_empty() {
                slug.push('-');
            }
        }
        let slug = slug.trim_end_matches('-');
        if slug.is_empty() { "x".to_owned() } else { slug.to_owned() }
    }
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl FromStr for Slug {
    type Err = NotASlug;
    fn from_str(text: &str) -> Result<Self, NotASlug> {
        let letters = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if text.is_empty()
            || text.len() > Self::BYTES_MAX
            || !letters
            || text.starts_with('-')
            || text.ends_with('-')
            || text.contains("--")
        {
            return Err(NotASlug);
        }
        Ok(Self(text.to_owned()))
    }
}
impl TryFrom<String> for Slug {
    type Error = NotASlug;
    fn try_from(text: String) -> Result<Self, NotASlug> {
        text.parse()
    }
}
impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

/// What may be asked of a slug.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Takes the slug for a launch.
    Claim {
        /// Which.
        launch: LaunchId,
    },
}

/// What has happened to a slug.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The slug belongs to a launch, for ever.
    Claimed {
        /// Which.
        launch: LaunchId,
    },
}

impl Named for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Claimed { .. } => "claimed",
        }
    }
}

/// Why a slug refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refusal", rename_all = "snake_case")]
pub enum Refusal {
    /// Another launch has it.
    #[error("another launch has this slug")]
    Taken {
        /// Which.
        by: LaunchId,
    },
}

/// Whose a slug is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SlugClaim {
    /// Nobody's.
    #[default]
    Free,
    /// A launch's.
    Claimed {
        /// Which.
        launch: LaunchId,
    },
}

impl Decider for SlugClaim {
    type Id = Slug;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;
    const NAME: &'static str = "slug";

    fn decide(&self, Command::Claim { launch }: &Command) -> Result<Vec<Event>, Refusal> {
        match self {
            Self::Free => Ok(vec![Event::Claimed { launch: *launch }]),
            Self::Claimed { launch: owner } if owner == launch => Ok(vec![]),
            Self::Claimed { launch: owner } => Err(Refusal::Taken { by: *owner }),
        }
    }

    fn evolve(self, Event::Claimed { launch }: &Event) -> Self {
        Self::Claimed { launch: *launch }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::given;
    use uuid::Uuid;

    #[test]
    fn a_slug_has_one_owner() {
        let (one, two) = (LaunchId(Uuid::from_u128(1)), LaunchId(Uuid::from_u128(2)));
        given::<SlugClaim>([]).when(Command::Claim { launch: one }).then([Event::Claimed { launch: one }]);
        given::<SlugClaim>([Event::Claimed { launch: one }]).when(Command::Claim { launch: one }).then_nothing();
        given::<SlugClaim>([Event::Claimed { launch: one }]).when(Command::Claim { launch: two }).then_refused(Refusal::Taken { by: one });
    }

    #[test]
    fn a_slug_is_readable() {
        let day = jiff::civil::date(2028, 1, 2);
        let slug = Slug::of_launch("Atlas V 551", "Cape Canaveral", Destination::LowEarth, day, 2);
        assert_eq!(slug.as_str(), "atlas-v-551-cape-canaveral-low-earth-2028-01-02-2");
        assert_eq!(slug.as_str().parse(), Ok(slug));
        assert_eq!(Slug::words("Союз"), "x");
    }

    #[test]
    fn the_first_of_its_day_has_no_number() {
        let day = jiff::civil::date(2028, 1, 2);
        let slug = |n| Slug::of_launch("R", "S", Destination::Moon, day, n).to_string();
        assert_eq!(
            (slug(0), slug(1), slug(10)),
            ("r-s-moon-2028-01-02".into(), "r-s-moon-2028-01-02".into(), "r-s-moon-2028-01-02-10".into())
        );
    }

    #[test]
    fn every_launch_has_a_slug_that_is_one() {
        let day = jiff::civil::date(9999, 12, 31);
        let endless = "Ö /".repeat(200);
        for name in ["", " ", "---", "Союз", "长征", "a--b", "É", "LM-3B/G2", &endless, &"x".repeat(500)] {
            for destination in Destination::ALL {
                let slug = Slug::of_launch(name, name, destination, day, u32::MAX);
                assert_eq!(slug.as_str().parse(), Ok(slug.clone()), "{name}");
            }
        }
    }

    #[test]
    fn refuses_what_is_not_a_slug() {
        for bad in ["", "-a", "a-", "a--b", "A", "a b", "a_b", "é", "a/b", "..", &"a".repeat(161)] {
            assert_eq!(bad.parse::<Slug>(), Err(NotASlug), "{bad}");
        }
        assert!("a".repeat(160).parse::<Slug>().is_ok());
        assert!(serde_json::from_str::<Slug>("\"a b\"").is_err());
    }
}
