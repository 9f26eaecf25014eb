// SPDX-License-Identifier: Apache-2.0

//! Which requests a list of paths and headers names; shared by the plugins under `extensions/`.

/// Paths and header names, compared without the query and without regard to case.
#[derive(Debug, Default, Clone)]
pub struct Rules {
    paths: Vec<String>,
    headers: Vec<String>,
}

impl Rules {
    /// Take exact paths and header names.
    pub fn new(paths: Vec<String>, headers: Vec<String>) -> Self {
        let headers = headers.iter().map(|name| name.to_lowercase()).collect();
        Self { paths, headers }
    }

    /// Tell whether `target`, a path that may have a query, is named.
    pub fn names_path(&self, target: &str) -> bool {
        let path = target.split('?').next().unwrap_or(target);
        self.paths.iter().any(|each| each == path)
    }

    /// Return the header names, in lower case.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::Rules;

    #[test]
    fn a_query_does_not_make_another_path() {
        let rules = Rules::new(vec!["/hello.html".into()], vec![]);
        assert!(rules.names_path("/hello.html?x=1"));
        assert!(!rules.names_path("/hello.htm"));
    }
}
