//! An array larger than the guest's memory, and than a test machine's: read by ranges.

use super::{hotcell, npy_header};
use hotcell_model::array::ArrayType;
use hotcell_model::manifest::DType;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Stdio;
use std::time::Duration;

/// What the whole process may hold at most: host, compiler and a guest capped at 64 MiB.
const MOST_RESIDENT_KIB: u64 = 400 << 10;

#[test]
fn five_gibibytes_stream_through_a_guest_of_64_mib() {
    let folder = tempfile::tempdir_in(hotcell_cases::target()).unwrap();
    let (input, output) = (folder.path().join("x.npy"), folder.path().join("sum.npy"));
    let elements = 5_u64 << 28;
    let header = npy_header(&ArrayType::new(DType::F32, [elements]).unwrap());
    let file = File::create(&input).unwrap();
    file.write_all_at(&header, 0).unwrap();
    // All zeros but three elements: the first, one beyond 4 GiB, and the last.
    let len = header.len() as u64 + 4 * elements;
    file.set_len(len).unwrap();
    for (element, value) in [(0, 1.5_f32), (9 << 27, 2.25), (elements - 1, 64.0)] {
        file.write_all_at(&value.to_le_bytes(), header.len() as u64 + 4 * element)
            .unwrap();
    }
    let mut command = hotcell(folder.path());
    command
        .arg("run")
        .arg(hotcell_cases::component("sum"))
        .arg("sum_stream");
    command.args([
        "--quiet",
        "--memory",
        "64MiB",
        "--timeout",
        "300s",
        "--fuel",
        "1T",
    ]);
    command.args(["--limit", "cpu_time_ns=300s"]);
    command.args(["--in", &format!("x=@{}", input.display())]);
    command.args(["--out", &format!("out=@{}", output.display())]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut most = 0;
    let status = loop {
        most = most.max(peak_resident_kib(child.id()));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let mut errors = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut errors).unwrap();
    assert!(status.success(), "{errors}");
    let sum = std::fs::read(&output).unwrap();
    assert_eq!(sum[sum.len() - 4..], 67.75_f32.to_le_bytes());
    assert!(
        most > 0 && most < MOST_RESIDENT_KIB,
        "{} MiB were resident",
        most >> 10
    );
}

/// The most memory that a process has had resident so far; 0 when it has ended.
fn peak_resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok())
        .unwrap_or(0)
}
