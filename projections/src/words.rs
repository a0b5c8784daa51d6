//! The words a document is found by. Which texts count is left to the views.

use std::collections::BTreeSet;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// How many words of a search are looked at; more are ignored.
pub(crate) const SEARCH_WORDS_MAX: usize = 8;
/// How many characters of a word count.
const WORD_CHARACTERS_MAX: usize = 40;
/// How many words a document is found by.
const DOCUMENT_WORDS_MAX: usize = 100;

/// Latin letters that Unicode does not take apart, as they are typed without them.
const UNDECOMPOSED: &[(char, &str)] =
    &[('ø', "o"), ('æ', "ae"), ('œ', "oe"), ('ß', "ss"), ('ł', "l"), ('đ', "d"), ('ð', "d"), ('þ', "th"), ('ı', "i")];

/// The words of a text: lower case, without accents, letters and digits only.
pub(crate) fn words(text: &str) -> impl Iterator<Item = String> {
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
        assert_eq!(words(" .*$^[ ").count(), 0);
        assert_eq!(tokens(["b a", "A c"]), ["a", "b", "c"]);
    }
}
