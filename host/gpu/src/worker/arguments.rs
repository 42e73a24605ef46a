//! The settings of a GPU worker that its supervisor chooses before anything hostile is near.

use hotcell_model::gpu::GpuDevice;
use hotcell_model::names::UnknownName;

/// What the command line says.
#[derive(Debug)]
pub(crate) struct GpuArguments {
    pub(crate) device: GpuDevice,
    /// `RLIMIT_DATA`.
    pub(crate) data_bytes: u64,
}

impl GpuArguments {
    /// Reads `--name value` pairs; all are needed, so that supervisor and worker cannot disagree on a default.
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let words: Vec<String> = words.collect();
        let find = |name: &str| {
            let mut pairs = words.chunks(2);
            let value = pairs.find_map(|pair| match pair {
                [flag, value] if flag == name => Some(value.as_str()),
                _ => None,
            });
            value.ok_or_else(|| format!("{name} is missing; hotcell starts this program itself"))
        };
        let data_bytes = find("--data-bytes")?;
        Ok(Self {
            device: find("--device")?
                .parse()
                .map_err(|error: UnknownName| error.to_string())?,
            data_bytes: data_bytes
                .parse()
                .map_err(|_| format!("--data-bytes takes a number, not `{data_bytes}`"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<GpuArguments, String> {
        GpuArguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn every_setting_is_needed_and_checked() {
        let arguments = parse("--device software --data-bytes 5").unwrap();
        assert!(matches!(arguments.device, GpuDevice::Software));
        assert_eq!(arguments.data_bytes, 5);
        for (line, words) in [
            ("", "--data-bytes is missing"),
            ("--data-bytes 5", "--device is missing"),
            ("--device any --data-bytes x", "takes a number"),
            ("--device every --data-bytes 5", "`every`"),
        ] {
            assert!(parse(line).unwrap_err().contains(words), "{line}");
        }
    }
}
