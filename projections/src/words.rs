//! The words a document is found by. Which texts count is left to the views. Words of personal data are kept blind: making them so is left
//! to the services, which have the vault.

use domain::{passenger::Email, sealed::Blind};
use std::collections::BTreeSet;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// How many words of a search are looked at; more are ignored.
pub(crate) const SEARCH_WORDS_MAX: usize = 8;
/// How many characters of a word count.
const WORD_CHARACTERS_MAX: usize = 40;
/// How many words a document is found by.
const DOCUMENT_WORDS_MAX: usize = 100;

/// The kind of a blind word of a name.
pub const WORD: &str = "word";
/// The kind of a blind address.
pub const EMAIL: &str = "email";
/// What stands before a blind word, which no other word has.
const BLIND: char = '~';

/// Makes a text of a kind ([`WORD`], [`EMAIL`]) blind.
pub type Blinding<'a> = &'a (dyn Fn(&str, &str) -> Blind + Sync);

/// Latin letters that Unicode does not take apart, as they are typed without them.
const UNDECOMPOSED: &[(char, &str)] =
    &[('ø', "o"), ('æ', "ae"), ('œ', "oe"), ('ß', "ss"), ('ł', "l"), ('đ', "d"), ('ð', "d"), ('þ', "th"), ('ı', "i")];

/// The words of a text: lower case, without accents, letters and digits only.
pub fn words(text: &str) -> impl Iterator<Item = String> {
    let mut plain = String::with_capacity(text.len());
    for c in text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        match UNDECOMPOSED.iter().find(|(letter, _)| *letter == c) {
            Some((_, letters)) => plain.push_str(letters),
            None => plain.push(c),
        }
    }
    plain
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| word.chars().take(WORD_CHARACTERS_MAX).collect())
        .collect::<Vec<String>>()
        .into_iter()
}

/// The words of several texts, each once.
pub(crate) fn tokens<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let all: BTreeSet<String> = texts.into_iter().flat_map(words).collect();
    all.into_iter().take(DOCUMENT_WORDS_MAX).collect()
}

/// The words to look for; every one of them must be the beginning of a word of the document.
pub(crate) fn sought(search: &str) -> Vec<String> {
    words(search).take(SEARCH_WORDS_MAX).collect()
}

/// A blind word as documents keep it.
pub(crate) fn token(blind: &Blind) -> String {
    format!("{BLIND}{blind}")
}

/// One thing a document must have: a word that begins so, or a blind word, whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sought {
    pub(crate) begins: Option<String>,
    pub(crate) blind: String,
}

/// What to look for where passengers count: each word in the open or blind; an address only as a whole, and blind.
pub(crate) fn sought_blind(search: &str, blinding: Blinding<'_>) -> Vec<Sought> {
    if let Ok(email) = Email::new(search) {
        return vec![Sought { begins: None, blind: token(&blinding(EMAIL, &email.normalised())) }];
    }
    sought(search).into_iter().map(|word| Sought { blind: token(&blinding(WORD, &word)), begins: Some(word) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_plain() {
        assert_eq!(
            words("Atlas-V 551, Kourou (Guyane française)").collect::<Vec<_>>(),
            ["atlas", "v", "551", "kourou", "guyane", "francaise"]
        );
        assert_eq!(words("Łódź Tromsø Straße").collect::<Vec<_>>(), ["lodz", "tromso", "strasse"]);
        assert_eq!(words("Союз ﬁn ½").collect::<Vec<_>>(), ["союз", "fin", "1", "2"]);
        assert_eq!(words(" .*$^[ ~").count(), 0);
        assert_eq!(tokens(["b a", "A c"]), ["a", "b", "c"]);
    }

    #[test]
    fn an_address_is_sought_whole_and_blind_and_words_both_ways() {
        let blinding = |kind: &str, text: &str| Blind::from_text(format!("{kind}-{text}"));
        let one = |begins: Option<&str>, blind: &str| Sought { begins: begins.map(str::to_owned), blind: blind.to_owned() };
        assert_eq!(
            sought_blind("Ada B-7Q", &blinding),
            [one(Some("ada"), "~word-ada"), one(Some("b"), "~word-b"), one(Some("7q"), "~word-7q"),]
        );
        assert_eq!(sought_blind(" ada@example.org", &blinding), [one(None, "~email-ada@example.org")]);
    }
}
