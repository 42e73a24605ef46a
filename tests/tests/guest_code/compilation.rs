//! Artifacts: made once, checked before they are used, bounded on disk.

use hotcell::outcome::OutcomeKind;
use hotcell::report::CacheOutcome;
use hotcell::{Metering, Places, Request};
use hotcell_tests::{Arena, Guest, assert_ended, cell, honest_request, isolation};
use std::path::{Path, PathBuf};
use std::sync::Barrier;

fn places(base: &Path) -> Places {
    Places {
        state: base.join("state"),
        cache: base.join("cache"),
    }
}

/// Runs the honest guest in a fresh cell over the cache at `base`; says where the artifact came from.
fn run(base: &Path, request: Request) -> CacheOutcome {
    let cell = cell(isolation!()).cache(places(base)).build().unwrap();
    let ended = cell.run(&Guest::named("honest").component(), request);
    assert_ended(&ended, OutcomeKind::Done, None);
    let timings = ended.report.timings;
    let cache = timings.cache.expect("it was prepared");
    assert_eq!(
        timings.compile_ns > 0,
        matches!(cache, CacheOutcome::Miss(_))
    );
    // With description and artifact on disk no compile process is needed.
    assert!(cache != CacheOutcome::Hit || timings.compilation.is_none());
    cache
}

/// The files of the cache, whatever they are.
fn files(base: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(base.join("cache/artifacts")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn files_of(base: &Path, suffix: &str) -> Vec<PathBuf> {
    let is_one = |path: &PathBuf| path.extension().is_some_and(|found| found == suffix);
    files(base).into_iter().filter(is_one).collect()
}

fn artifacts(base: &Path) -> Vec<PathBuf> {
    files_of(base, "artifact")
}

#[track_caller]
fn assert_missed(cache: &CacheOutcome, word: &str) {
    match cache {
        CacheOutcome::Miss(why) => assert!(why.contains(word), "`{word}`: {why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_artifact_is_made_once_and_found_by_the_next_process() {
    let base = tempfile::tempdir().unwrap();
    assert_missed(&run(base.path(), honest_request()), "not compiled before");
    assert_eq!(run(base.path(), honest_request()), CacheOutcome::Hit);
    let fast = honest_request().metering(Metering::Fast);
    assert_missed(&run(base.path(), fast), "metering mode");
    assert_eq!(artifacts(base.path()).len(), 2);
}

#[test]
fn an_artifact_edited_on_disk_is_removed_and_made_again() {
    let base = tempfile::tempdir().unwrap();
    run(base.path(), honest_request());
    let artifact = artifacts(base.path()).remove(0);
    let honest = std::fs::read(&artifact).unwrap();
    // The magic, the signature, the header, and the code in the middle and at the end.
    for at in [0, 9, 45, honest.len() / 2, honest.len() - 1] {
        let mut edited = honest.clone();
        edited[at] ^= 1;
        std::fs::write(&artifact, &edited).unwrap();
        assert_missed(&run(base.path(), honest_request()), "has been removed");
        assert_eq!(
            run(base.path(), honest_request()),
            CacheOutcome::Hit,
            "byte {at}"
        );
    }
}

#[test]
fn a_description_edited_on_disk_is_removed_and_made_again() {
    let base = tempfile::tempdir().unwrap();
    run(base.path(), honest_request());
    let description = files_of(base.path(), "description").remove(0);
    let honest = std::fs::read(&description).unwrap();
    // The manifest stands there as text.
    let name = honest.windows(7).position(|bytes| bytes == b"hostile");
    let mut lied = honest.clone();
    lied[name.unwrap()] = b'j';
    for edited in [&lied[..], &honest[..honest.len() - 1], b""] {
        std::fs::write(&description, edited).unwrap();
        let cell = cell(isolation!())
            .cache(places(base.path()))
            .build()
            .unwrap();
        let ended = cell.run(&Guest::named("honest").component(), honest_request());
        assert_ended(&ended, OutcomeKind::Done, None);
        assert_eq!(ended.report.timings.cache, Some(CacheOutcome::Hit));
        assert_eq!(std::fs::read(&description).unwrap(), honest);
    }
}

#[test]
fn an_artifact_cut_short_or_emptied_is_made_again() {
    let base = tempfile::tempdir().unwrap();
    run(base.path(), honest_request());
    let artifact = artifacts(base.path()).remove(0);
    let honest = std::fs::read(&artifact).unwrap();
    for len in [0, 8, 44, honest.len() - 1] {
        std::fs::write(&artifact, &honest[..len]).unwrap();
        assert_missed(&run(base.path(), honest_request()), "has been removed");
    }
}

#[test]
fn an_artifact_swapped_for_another_is_not_mapped() {
    let base = tempfile::tempdir().unwrap();
    run(base.path(), honest_request());
    let strict = artifacts(base.path()).remove(0);
    run(base.path(), honest_request().metering(Metering::Fast));
    let fast = artifacts(base.path())
        .into_iter()
        .find(|path| *path != strict)
        .unwrap();
    // Both are signed with this host's key; only the name says which is wanted.
    std::fs::copy(&fast, &strict).unwrap();
    assert_missed(
        &run(base.path(), honest_request()),
        "another component's, profile's or tenant's",
    );
}

#[test]
fn an_artifact_signed_by_another_host_is_not_mapped() {
    let [ours, theirs] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    run(ours.path(), honest_request());
    run(theirs.path(), honest_request());
    let (mine, other) = (
        artifacts(ours.path()).remove(0),
        artifacts(theirs.path()).remove(0),
    );
    assert_eq!(mine.file_name(), other.file_name());
    std::fs::copy(other, mine).unwrap();
    assert_missed(
        &run(ours.path(), honest_request()),
        "not signed with this host's key",
    );
}

#[test]
fn a_cache_that_others_can_write_to_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let base = tempfile::tempdir().unwrap();
    run(base.path(), honest_request());
    let mode = |mode| std::fs::Permissions::from_mode(mode);
    for place in ["state", "cache", "cache/artifacts"] {
        let path = base.path().join(place);
        std::fs::set_permissions(&path, mode(0o777)).unwrap();
        let error = cell(isolation!())
            .cache(places(base.path()))
            .build()
            .err()
            .expect(place);
        assert!(error.to_string().contains("0700"), "{error}");
        std::fs::set_permissions(&path, mode(0o700)).unwrap();
    }
    assert_eq!(run(base.path(), honest_request()), CacheOutcome::Hit);
}

#[test]
fn many_distinct_components_do_not_pass_the_caches_size() {
    let base = tempfile::tempdir().unwrap();
    let maximum = 100_000;
    let cell = cell(isolation!())
        .cache(places(base.path()))
        .cache_bytes(maximum)
        .build()
        .unwrap();
    for number in 0..12 {
        let guest = Guest::of(format!("(func $attack (drop (i32.const {number})))"));
        assert_ended(
            &cell.run(&guest.component(), honest_request()),
            OutcomeKind::Done,
            None,
        );
        let files = files(base.path());
        let bytes: u64 = files
            .iter()
            .map(|path| path.metadata().unwrap().len())
            .sum();
        // What is larger than all of the cache is not kept.
        assert!(bytes <= maximum, "{bytes} bytes after {number}");
    }
    assert!(artifacts(base.path()).len() < 12);
}

#[test]
fn the_same_component_many_times_at_once_is_compiled_once() {
    let base = tempfile::tempdir().unwrap();
    let cell = cell(isolation!())
        .cache(places(base.path()))
        .build()
        .unwrap();
    let arena = Arena::with(cell);
    let component = Guest::named("log_forgery").component();
    let (start, launches) = (Barrier::new(8), 8);
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let one = || {
            start.wait();
            let ended = arena.cell.run(&component, honest_request());
            assert_ended(&ended, OutcomeKind::Done, None);
            ended.report.timings.cache.expect("it was prepared")
        };
        let threads: Vec<_> = (0..launches).map(|_| scope.spawn(one)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let misses = outcomes
        .iter()
        .filter(|cache| matches!(cache, CacheOutcome::Miss(_)));
    assert_eq!(misses.count(), 1, "{outcomes:?}");
    arena.assert_serves();
}
