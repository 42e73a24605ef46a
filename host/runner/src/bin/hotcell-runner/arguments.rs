//! The settings of a runner that its supervisor chooses before anything hostile is near.

use hotcell_model::names::UnknownName;
use hotcell_model::profile::Metering;
use hotcell_runner::RunnerConfig;

/// What the command line says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RunnerArguments {
    pub(crate) metering: Metering,
    pub(crate) slots: u32,
    pub(crate) threads: usize,
    pub(crate) keep_resident_bytes: usize,
    pub(crate) map_from_bytes: usize,
    /// `RLIMIT_DATA`.
    pub(crate) data_bytes: u64,
}

impl RunnerArguments {
    /// Reads `--name value` pairs; all are needed, so that supervisor and runner cannot disagree on a default.
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let words: Vec<String> = words.collect();
        let find = |name: &str| {
            let mut pairs = words.chunks(2);
            pairs
                .find_map(|pair| match pair {
                    [flag, value] if flag == name => Some(value.as_str()),
                    _ => None,
                })
                .ok_or_else(|| format!("{name} is missing; hotcell starts this program itself"))
        };
        fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, String> {
            text.parse()
                .map_err(|_| format!("{name} takes a number, not `{text}`"))
        }
        Ok(Self {
            metering: find("--metering")?
                .parse()
                .map_err(|error: UnknownName| error.to_string())?,
            slots: number("--slots", find("--slots")?)?,
            threads: number("--threads", find("--threads")?)?,
            keep_resident_bytes: number("--keep-resident-bytes", find("--keep-resident-bytes")?)?,
            map_from_bytes: number("--map-from-bytes", find("--map-from-bytes")?)?,
            data_bytes: number("--data-bytes", find("--data-bytes")?)?,
        })
    }

    pub(crate) fn runner(&self) -> RunnerConfig {
        RunnerConfig {
            slots: self.slots,
            keep_resident_bytes: self.keep_resident_bytes,
            map_from_bytes: self.map_from_bytes,
            threads: self.threads,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<RunnerArguments, String> {
        RunnerArguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn every_setting_is_needed_and_checked() {
        let line = "--metering fast --slots 2 --threads 3 --keep-resident-bytes 4 --map-from-bytes 6 --data-bytes 5";
        let arguments = parse(line).unwrap();
        assert_eq!(arguments.metering, Metering::Fast);
        assert_eq!((arguments.slots, arguments.threads), (2, 3));
        assert!(parse("").unwrap_err().contains("--metering is missing"));
        assert!(
            parse(&line.replace('2', "x"))
                .unwrap_err()
                .contains("takes a number")
        );
        assert!(
            parse(&line.replace("fast", "slow"))
                .unwrap_err()
                .contains("slow")
        );
    }
}
