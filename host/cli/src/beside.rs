//! The profile that lies beside a kernel: it warns of launches that will reach a limit, and says which limit fits one that did.

use hotcell::forecast::in_three_digits;
use hotcell::limit::{Limit, Unit};
use hotcell::report::Report;
use hotcell::{Digest, Forecaster};
use hotcell_model::text::escape;
use hotcell_profile::Profile;
use hotcell_profile::expect::Unlike;
use hotcell_profile::fit::Sizes;
use hotcell_profile::record::RecordError;
use hotcell_profile::suggest::Margin;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The longest name that is told.
const SHOWN_BYTES: usize = 256;

/// What lies beside a kernel.
pub(crate) enum Beside {
    /// A profile.
    Profile(PathBuf, Arc<Profile>),
    /// Something in its place, and why it is none.
    Unusable(RecordError),
    /// Nothing.
    Nothing,
}

impl Beside {
    /// The profile of an entry. Without a name it is that of the only one; with one, it may be the only one, too.
    pub(crate) fn find(kernel: &Path, entry: Option<&str>) -> Self {
        let own = entry.map(|entry| place(kernel, Some(entry)));
        let places = own.into_iter().chain([place(kernel, None)]);
        let Some(found) = places.into_iter().find(|place| place.is_file()) else {
            return Self::Nothing;
        };
        match Profile::read(&found) {
            Ok(profile) => Self::Profile(found, Arc::new(profile)),
            Err(error) => Self::Unusable(error),
        }
    }

    /// What warns of a launch before it runs.
    pub(crate) fn forecaster(&self) -> Option<Arc<dyn Forecaster>> {
        match self {
            Self::Profile(_, profile) => Some(Arc::clone(profile) as Arc<dyn Forecaster>),
            Self::Unusable(_) | Self::Nothing => None,
        }
    }

    /// What is known of how much of a limit a launch takes that it stopped, and which value would fit, to follow a hint; empty for
    /// limits that profiles are not about.
    pub(crate) fn advice(&self, kernel: &Path, report: &Report, limit: Limit) -> String {
        if !matches!(limit, Limit::Fuel | Limit::Memory | Limit::Timeout) {
            return String::new();
        }
        let kernel = escape(&kernel.display().to_string(), SHOWN_BYTES);
        match self {
            Self::Nothing => format!(
                "; `hotcell profile {kernel}{}` measures what it takes by the sizes of its arrays",
                sweep(&report.dims)
            ),
            Self::Unusable(error) => {
                let why = hotcell_model::text::chain(error);
                format!("; its profile is of no use: {}", escape(&why, SHOWN_BYTES))
            }
            Self::Profile(path, profile) => {
                let path = escape(&path.display().to_string(), SHOWN_BYTES);
                match expected(profile, report, limit) {
                    Ok(words) => format!("; its profile {path} {words}"),
                    Err(unlike) => format!(
                        "; its profile {path} does not fit this launch: {}",
                        escape(&unlike.to_string(), SHOWN_BYTES)
                    ),
                }
            }
        }
    }
}

/// Where the profile of an entry lies: beside its kernel, with the entry in its name where there are several.
pub(crate) fn place(kernel: &Path, entry: Option<&str>) -> PathBuf {
    match entry {
        None => Profile::beside(kernel),
        Some(entry) => Profile::beside(&kernel.with_extension(format!("{entry}.wasm"))),
    }
}

/// What a profile expects of the launch, and what fits it.
fn expected(profile: &Profile, report: &Report, limit: Limit) -> Result<String, Unlike> {
    let (component, entry) = (report.component.digest, &report.component.entry);
    let component = component.unwrap_or(Digest::from_bytes([0; 32]));
    let sizes = profile.sizes_of(component, entry, &report.dims, &report.scalars)?;
    let (margin, metering) = (Margin::default(), report.metering);
    let expected = profile.expected_at(limit, &sizes, metering);
    let fitting = profile.fitting_at(limit, &sizes, metering, margin);
    let shown = |value: u64| limit.unit().format(readable(limit, value));
    let Some(fitting) = fitting else {
        return Ok("says nothing of it".to_owned());
    };
    let what = match limit {
        Limit::Timeout => "on one thread of the machine that it was taken on",
        _ => "of it",
    };
    let swept: Vec<_> = profile
        .swept
        .keys()
        .filter_map(|name| {
            Some(format!(
                "{}={}",
                escape(name, SHOWN_BYTES),
                sizes.get(name)?
            ))
        })
        .collect();
    let at = format!("for {}", swept.join(", "));
    let beyond = profile.beyond(&sizes).map(|(name, high)| {
        format!(
            " (it was taken up to {}={high}, and is drawn further)",
            escape(name, SHOWN_BYTES)
        )
    });
    let expects = match expected {
        Some(expected) => format!("expects about {} {what} {at}", shown(expected)),
        None => format!("has no model of it {at}"),
    };
    Ok(format!(
        "{expects}{}: {} fits, with a margin of {:.0} %",
        beyond.unwrap_or_default(),
        limit.unit().format(fitting),
        margin.percent()
    ))
}

/// An amount that is estimated, as people say it.
fn readable(limit: Limit, value: u64) -> u64 {
    match limit.unit() {
        // Memory comes in pages.
        Unit::Bytes if value < 16 << 20 => value.next_multiple_of(64 << 10),
        Unit::Bytes => value.next_multiple_of(1 << 20),
        Unit::Fuel | Unit::Count | Unit::Ns => in_three_digits(value),
    }
}

/// The option that sweeps a launch's first dimension, up to its own extent.
fn sweep(dims: &Sizes) -> String {
    let Some((name, extent)) = dims.iter().find(|(_, extent)| **extent > 1) else {
        return String::new();
    };
    format!(
        " --sweep {}={}..{extent}",
        escape(name, SHOWN_BYTES),
        (extent / 64).max(1)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_lie_beside_their_kernels() {
        let kernel = Path::new("there/sum.wasm");
        assert_eq!(place(kernel, None), Path::new("there/sum.profile.json"));
        let stream = place(kernel, Some("sum_stream"));
        assert_eq!(stream, Path::new("there/sum.sum_stream.profile.json"));
    }

    #[test]
    fn what_is_advised_to_be_swept_ends_at_the_launch() {
        let dims = |extent| Sizes::from([("a".to_owned(), 1), ("n".to_owned(), extent)]);
        assert_eq!(sweep(&dims(1 << 20)), " --sweep n=16384..1048576");
        assert_eq!(sweep(&dims(3)), " --sweep n=1..3");
        assert_eq!(sweep(&Sizes::new()), "");
    }

    #[test]
    fn something_in_the_place_of_a_profile_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let kernel = folder.path().join("k.wasm");
        assert!(matches!(Beside::find(&kernel, Some("k")), Beside::Nothing));
        std::fs::write(folder.path().join("k.profile.json"), "{}").unwrap();
        let found = Beside::find(&kernel, Some("k"));
        assert!(matches!(found, Beside::Unusable(_)) && found.forecaster().is_none());
    }
}
