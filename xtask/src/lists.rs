//! Lists of texts in TOML, as `deny.toml` and the front pages of advisories have them. Reads no other TOML.

/// The texts of `key = ["…", …]` in the table `[table]`, also over several lines; none when there is no such key.
pub(crate) fn list<'a>(text: &'a str, table: &str, key: &str) -> Option<Vec<&'a str>> {
    let value = value(text, table, key)?.strip_prefix('[')?;
    let mut found = Vec::new();
    let mut rest = value;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        if let Some(comment) = rest.strip_prefix('#') {
            rest = comment.split_once('\n')?.1;
        } else if let Some(quoted) = rest.strip_prefix('"') {
            let (item, after) = quoted.split_once('"')?;
            found.push(item);
            rest = after;
        } else {
            return rest.starts_with(']').then_some(found);
        }
    }
}

/// The text of `key = "…"` in the table `[table]`.
pub(crate) fn text<'a>(text: &'a str, table: &str, key: &str) -> Option<&'a str> {
    value(text, table, key)?.strip_prefix('"')?.split_once('"').map(|(value, _)| value)
}

/// What follows `key =` in the table, up to the end of the text.
fn value<'a>(text: &'a str, table: &str, key: &str) -> Option<&'a str> {
    let heading = format!("[{table}]");
    let mut inside = table.is_empty();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        at += line.len();
        let begun = line.trim_start();
        if begun.starts_with('[') && !begun.starts_with("[\"") {
            inside = begun.trim_end() == heading;
        } else if inside
            && let Some(rest) = begun.strip_prefix(key)
            && let Some(rest) = rest.trim_start().strip_prefix('=')
        {
            return Some(text[at - rest.len()..].trim_start());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{list, text};

    const SAMPLE: &str =
        "[a]\nkey = \"one\"\n[b.c]\nempty = []\nkey = [\"x\", \"y\"] # why\nlong = [\n  # a reason, \"quoted\"\n  \"p\",\n  \"q\",\n]\n";

    #[test]
    fn lists_and_texts_are_found_in_their_tables() {
        assert_eq!(text(SAMPLE, "a", "key"), Some("one"));
        assert_eq!(list(SAMPLE, "b.c", "key").unwrap(), ["x", "y"]);
        assert_eq!(list(SAMPLE, "b.c", "long").unwrap(), ["p", "q"]);
        assert!(list(SAMPLE, "b.c", "empty").unwrap().is_empty());
        assert_eq!(list(SAMPLE, "a", "long"), None);
        assert_eq!(text(SAMPLE, "b.c", "key"), None);
    }
}
