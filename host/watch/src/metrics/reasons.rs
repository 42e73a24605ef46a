//! Why an artifact was not in the cache, as one of few words: what a report says names versions and CPUs.

use hotcell_model::names::named;

named! {
    /// Kinds of reasons for a cache miss.
    pub enum MissReason, "reason for a cache miss" {
        /// Nothing of that component was compiled for this tenant before.
        New = "new",
        /// It was compiled by another version, for another CPU or in another metering mode.
        Changed = "changed",
        /// Something else, such as no cache at all or an artifact that does not load; the report has the words.
        Other = "other",
    }
}

impl MissReason {
    /// The kind of a reason in the words of a report.
    pub fn of(words: &str) -> Self {
        match words {
            _ if words.starts_with("not compiled before") => Self::New,
            _ if words.starts_with("compiled before ") => Self::Changed,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_host_have_their_kinds() {
        for (words, reason) in [
            ("not compiled before", MissReason::New),
            (
                "not compiled before; it could not be kept: no space",
                MissReason::New,
            ),
            (
                "compiled before in metering mode fast, now strict",
                MissReason::Changed,
            ),
            ("an artifact of another engine", MissReason::Other),
            ("", MissReason::Other),
        ] {
            assert_eq!(MissReason::of(words), reason, "{words}");
        }
    }
}
