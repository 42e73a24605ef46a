//! Descriptions on disk, beside the artifacts: a component whose artifact is there needs no compile process at all.
//!
//! It is kept once an artifact of the component has loaded. A description is what one build of the host's compile process read of one component, for one tenant. Another build
//! reads it anew. On the way back it is checked as if it had come from a compile process just now; whether it fits a
//! launch's limits is held against what it counted, as with those in memory.

use super::{ArtifactCache, Head, note_use, owner_mark};
use hotcell_model::component::Description;
use hotcell_model::digest::Digest;
use hotcell_model::frame::{WireDescription, encode_long};
use hotcell_model::limit::Limit;
use hotcell_model::tenant::Tenant;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

pub(super) const SUFFIX: &str = "description";

/// Whether a file of the cache is a description.
pub(super) fn is_one(path: &Path) -> bool {
    path.extension().is_some_and(|suffix| suffix == SUFFIX)
}

/// What a description was read from, by which build, and for whom. No field is named like an artifact's, so that neither
/// file passes for the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DescriptionOrigin {
    described: Digest,
    by_build: u128,
    for_tenant: Tenant,
}

impl DescriptionOrigin {
    fn new(tenant: &Tenant, component: Digest) -> Self {
        Self {
            described: component,
            by_build: hotcell_build_id::BUILD_ID,
            for_tenant: tenant.clone(),
        }
    }
}

impl ArtifactCache {
    /// The description of a component, if this build made one for that tenant. A file that is not what it should be is
    /// removed.
    pub(crate) fn find_description(
        &self,
        tenant: &Tenant,
        component: Digest,
    ) -> Option<Description> {
        let origin = DescriptionOrigin::new(tenant, component);
        let path = self.description_path(&origin);
        match self.read_description(&path, &origin) {
            Ok(Some(description)) => {
                note_use(&path);
                Some(description)
            }
            Ok(None) => {
                let _ = std::fs::remove_file(&path);
                None
            }
            Err(_) => None,
        }
    }

    /// Keeps a description, unless one is there. Nothing depends on it: where it cannot be kept, the component is described
    /// again.
    pub(crate) fn store_description(
        &self,
        tenant: &Tenant,
        component: Digest,
        description: &Description,
    ) {
        let origin = DescriptionOrigin::new(tenant, component);
        let path = self.description_path(&origin);
        if path.exists() {
            return;
        }
        let mut body = Vec::new();
        let Ok(header) = serde_json::to_vec(&origin) else {
            return;
        };
        if encode_long(&WireDescription::of(description), &mut body).is_ok()
            && (header.len() + body.len()) as u64 <= self.max_bytes
            && self.write(&path, &header, &body).is_ok()
        {
            let _ = self.prune_to(self.max_bytes);
        }
    }

    fn description_path(&self, origin: &DescriptionOrigin) -> PathBuf {
        let (component, owner) = (origin.described, owner_mark(&origin.for_tenant));
        let build = origin.by_build;
        self.directory
            .join(format!("{component}-{owner}-{build:032x}.{SUFFIX}"))
    }

    /// `None` if the file is there and not what it should be.
    fn read_description(
        &self,
        path: &Path,
        origin: &DescriptionOrigin,
    ) -> io::Result<Option<Description>> {
        let mut file = File::open(path)?;
        let Some(head) = Head::read(&mut file)? else {
            return Ok(None);
        };
        let mut body = Vec::new();
        file.take(WireDescription::MAX_BYTES + 1)
            .read_to_end(&mut body)?;
        let is_signed = self.sign(&head.header, &body) == blake3::Hash::from_bytes(head.signature);
        let is_of_origin = || {
            serde_json::from_slice::<DescriptionOrigin>(&head.header)
                .ok()
                .as_ref()
                == Some(origin)
        };
        if !is_signed || !is_of_origin() {
            return Ok(None);
        }
        // Whether it fits a launch's own limit is decided by its counts.
        let read = WireDescription::read(&body, Limit::Items.ceiling());
        Ok(read.ok().and_then(Result::ok))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places::Places;
    use hotcell_model::component::{Counts, Import};
    use hotcell_model::manifest::{KernelRecord, Manifest, Record};

    fn description() -> Description {
        let json = r#"{"name":"ones","signature":"->(n)","parameters":[{"name":"out","role":"output","dtype":"f32"}]}"#;
        let record: KernelRecord = serde_json::from_str(json).unwrap();
        Description {
            manifest: Manifest::from_records(vec![Record::from(record)]).unwrap(),
            imports: vec![Import::classify("hotcell:kernel/log@0.2.0")],
            shaders: Vec::new(),
            counts: Counts {
                functions: 7,
                ..Counts::default()
            },
            costs: Vec::new(),
        }
    }

    fn cache(max_bytes: u64) -> (tempfile::TempDir, ArtifactCache) {
        let base = tempfile::tempdir().unwrap();
        let places = Places {
            state: base.path().join("state"),
            cache: base.path().join("cache"),
        };
        let cache = ArtifactCache::open(&places, max_bytes).unwrap();
        (base, cache)
    }

    fn file(cache: &ArtifactCache, tenant: &Tenant, component: Digest) -> PathBuf {
        cache.description_path(&DescriptionOrigin::new(tenant, component))
    }

    #[test]
    fn a_description_comes_back_as_it_was_and_for_its_tenant_alone() {
        let (_base, cache) = cache(1 << 20);
        let (tenant, other) = ("a".parse().unwrap(), "b".parse().unwrap());
        let digest = Digest::from_bytes([1; 32]);
        assert_eq!(cache.find_description(&tenant, digest), None);
        cache.store_description(&tenant, digest, &description());
        assert_eq!(cache.find_description(&tenant, digest), Some(description()));
        assert_eq!(cache.find_description(&other, digest), None);
        assert_eq!(
            cache.find_description(&tenant, Digest::from_bytes([2; 32])),
            None
        );
        // It is no artifact, and counts for its tenant where room is made.
        assert!(cache.entries().unwrap().is_empty());
        let mark = super::super::owner_of(&file(&cache, &tenant, digest));
        assert_eq!(mark, Some(owner_mark(&tenant)));
        assert_eq!(cache.prune_to(0).unwrap(), 0);
        assert_eq!(cache.find_description(&tenant, digest), None);
    }

    #[test]
    fn an_edited_description_is_rejected_at_every_byte_and_removed() {
        let (_base, cache) = cache(1 << 20);
        let (tenant, digest) = ("a".parse().unwrap(), Digest::from_bytes([1; 32]));
        cache.store_description(&tenant, digest, &description());
        let path = file(&cache, &tenant, digest);
        let whole = std::fs::read(&path).unwrap();
        for position in 0..whole.len() {
            let mut edited = whole.clone();
            edited[position] ^= 1;
            std::fs::write(&path, &edited).unwrap();
            let found = cache.find_description(&tenant, digest);
            assert_eq!(found, None, "byte {position}");
            assert!(!path.exists(), "byte {position}");
        }
    }

    #[test]
    fn a_description_under_anothers_name_is_rejected() {
        let (_base, cache) = cache(1 << 20);
        let (tenant, other) = ("a".parse().unwrap(), "b".parse().unwrap());
        let digest = Digest::from_bytes([1; 32]);
        cache.store_description(&tenant, digest, &description());
        let (own, others) = (file(&cache, &tenant, digest), file(&cache, &other, digest));
        std::fs::rename(own, &others).unwrap();
        assert_eq!(cache.find_description(&other, digest), None);
        assert!(!others.exists());
    }

    #[test]
    fn descriptions_alone_do_not_outgrow_the_cache() {
        let (_base, cache) = cache(4096);
        let tenant = "a".parse().unwrap();
        for component in 0..64 {
            let digest = Digest::from_bytes([component; 32]);
            cache.store_description(&tenant, digest, &description());
        }
        let bytes: u64 = cache.sizes().unwrap().iter().map(|file| file.bytes).sum();
        assert!((1..=4096).contains(&bytes), "{bytes}");
    }
}
