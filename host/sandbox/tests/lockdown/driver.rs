//! What a GPU worker has more than others: a driver to load before its lock.

use crate::harness::skip;
use crate::walls::is_enforced;
use crate::worker::{Phase, SOFTWARE, answer, command, raw, start, start_with};
use hotcell_model::layer::{Layer, LayerReport, WorkerKind};
use hotcell_model::probe::{Attempt, Attempted};
use std::ffi::CStr;

pub(crate) fn a_software_driver_lacks_a_layer() {
    let (_worker, layers) = start_with(WorkerKind::Gpu, Phase::Locked, &[SOFTWARE]);
    let absent = layers.iter().filter(|report| !report.is_enforced());
    let absent: Vec<_> = absent.map(|report| report.layer).collect();
    assert!(absent.contains(&Layer::WriteXorExecute));
    let (_worker, of_hardware) = start(WorkerKind::Gpu, Phase::Locked);
    if !is_enforced(&of_hardware, Layer::WriteXorExecute) {
        skip("this kernel has no MDWE");
    }
    assert_eq!(layers.len(), of_hardware.len());
}

/// A GPU worker has no filter before its lock either, and may read what a driver is loaded from, until then.
pub(crate) fn a_driver_may_be_read_and_nothing_else() {
    let worker = command(&["hotcell-gpu", "walled", "tries"])
        .spawn()
        .unwrap();
    let layers: Vec<LayerReport> = answer(&worker).unwrap();
    if !is_enforced(&layers, Layer::Namespaces) || !is_enforced(&layers, Layer::Landlock) {
        return skip("namespaces or Landlock are absent");
    }
    let tried: Vec<(String, Attempted)> = answer(&worker).unwrap();
    assert_eq!(tried.len(), TRIES.len());
    for (path, attempted) in tried {
        match attempted {
            Attempted::Succeeded(_) => assert_eq!(path, "/usr/lib"),
            Attempted::Refused(error) => {
                let expected = [libc::ENOENT, libc::EACCES, libc::EROFS];
                assert!(
                    expected.contains(&error) && path != "/usr/lib",
                    "{path}: {error}"
                );
            }
        }
    }
}

/// What is opened, and how.
const TRIES: [(&CStr, i32); 7] = [
    (c"/usr/lib", libc::O_RDONLY),
    (c"/etc/passwd", libc::O_RDONLY),
    (c"/proc/1/environ", libc::O_RDONLY),
    (c"/dev/mem", libc::O_RDWR),
    (c"/tmp", libc::O_RDONLY),
    (c"/usr/lib/hotcell-probe", libc::O_WRONLY | libc::O_CREAT),
    (c"/hotcell-probe", libc::O_WRONLY | libc::O_CREAT),
];

/// Opens all of that, in the worker.
pub(crate) fn tries() -> Vec<(String, Attempted)> {
    let number = u32::try_from(libc::SYS_openat).unwrap();
    let here = libc::AT_FDCWD.cast_unsigned().into();
    let tries = TRIES.iter().map(|(path, flags)| {
        let (place, flags) = (path.as_ptr().addr() as u64, flags.cast_unsigned().into());
        let arguments = [here, place, flags, 0o600, 0, 0];
        let name = path.to_str().unwrap().to_owned();
        (name, raw(Attempt::Call { number, arguments }))
    });
    tries.collect()
}
