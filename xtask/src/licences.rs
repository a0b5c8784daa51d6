//! Whether a licence expression of a crate is satisfied by what this project may use. Reads no files.

/// Whether an SPDX expression (`MIT OR Apache-2.0`, also the old `MIT/Apache-2.0`) can be met; a broken one cannot.
pub(crate) fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser { words: &words, allowed };
    parser.any() == Some(true) && parser.words.is_empty()
}

/// `any := all { OR all }`, `all := one { AND one }`, `one := ( any ) | licence [ WITH exception ]`. Nothing where it is broken.
struct Parser<'a> {
    words: &'a [&'a str],
    allowed: &'a [&'a str],
}

impl<'a> Parser<'a> {
    fn any(&mut self) -> Option<bool> {
        let mut allowed = self.all()?;
        while self.eat("OR") {
            allowed |= self.all()?;
        }
        Some(allowed)
    }

    fn all(&mut self) -> Option<bool> {
        let mut allowed = self.one()?;
        while self.eat("AND") {
            allowed &= self.one()?;
        }
        Some(allowed)
    }

    fn one(&mut self) -> Option<bool> {
        if self.eat("(") {
            let allowed = self.any()?;
            return self.eat(")").then_some(allowed);
        }
        let licence = self.next()?;
        if self.eat("WITH") {
            // An exception only ever permits more.
            let with_exception = format!("{licence} WITH {}", self.next()?);
            return Some(self.allowed.contains(&with_exception.as_str()) || self.allowed.contains(&licence));
        }
        Some(self.allowed.contains(&licence))
    }

    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn eat(&mut self, word: &str) -> bool {
        let found = self.words.first() == Some(&word);
        if found {
            self.words = &self.words[1..];
        }
        found
    }
}

#[cfg(test)]
mod tests {
    const ALLOWED: &[&str] = &["MIT", "Apache-2.0", "ISC"];

    fn is_allowed(expression: &str) -> bool {
        super::is_allowed(expression, ALLOWED)
    }

    #[test]
    fn one_way_to_use_it_is_enough() {
        for yes in
            ["MIT", "MIT OR Apache-2.0", "GPL-3.0 OR MIT", "MIT/Apache-2.0", "(MIT OR GPL-2.0) AND ISC", "Apache-2.0 WITH LLVM-exception"]
        {
            assert!(is_allowed(yes), "{yes}");
        }
        for no in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT", "MIT Apache-2.0", "MIT OR", "AGPL-3.0-only"] {
            assert!(!is_allowed(no), "{no}");
        }
    }
}
