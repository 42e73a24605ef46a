//! Compiled artifacts on disk, and their life.
//!
//! 1. A launch asks for the artifact of a component under an engine profile, for a tenant. The three make
//!    its *key*; the file's name carries the component's digest, the tenant's mark and the key.
//! 2. No file of that name: a *miss*. The component is compiled, by a compile process that writes the artifact
//!    into memory that it shares with the supervisor. The supervisor seals that memory against writing (if
//!    it cannot, the process is hostile) and copies the artifact into sealed memory of its own, which holds
//!    nothing else. For the disk it goes to a temporary file beside its place and is renamed there, so that
//!    nobody ever reads half of one.
//! 3. A file: its header is read, and the artifact straight into sealed memory, once. A keyed BLAKE3 over
//!    both, under a key that only the host's user can read, is checked on that memory; the very same pages are
//!    what a runner maps and makes executable. A file that fails is removed, and its artifact compiled again.
//! 4. An artifact that loads in no engine of this host (another version made it) is removed as well.
//! 5. A component's description is kept beside its artifacts, under the same signature ([`descriptions`]).
//! 6. After a write, files are removed until the cache is within its size: of the tenant that has the most bytes,
//!    those used longest ago. So one that fills the cache pushes out its own artifacts, and no other tenant's as
//!    long as that has no more than its equal part. The file's name carries a mark of its tenant for that.
//! 7. A compilation that failed by the component's doing leaves no file: it is remembered for a while instead,
//!    in memory, so that a compile bomb costs once.
//!
//! An artifact's signature says which host made it, never that it is harmless: it was made from code that
//! nobody trusts.

mod descriptions;
mod memory;

use crate::places::{PlaceError, Places, own_directory, own_key};
use hotcell_model::digest::Digest;
use hotcell_model::limit::Limit;
use hotcell_model::profile::EngineProfile;
use hotcell_model::report::{Alert, AlertKind};
use hotcell_model::tenant::Tenant;
use memory::ArtifactMemory;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

const MAGIC: &[u8; 8] = b"hotcell\x01";
const SUFFIX: &str = "artifact";
/// The header is small; a longer one is no header of ours.
const HEADER_BYTES: usize = 4096;

/// An artifact that this host's compiler made: returned by it just now, or read back and verified.
pub(crate) struct VerifiedArtifact(ArtifactMemory);

impl VerifiedArtifact {
    /// Bytes straight from this host's compiler.
    pub(crate) fn fresh(artifact: &[u8]) -> io::Result<Self> {
        ArtifactMemory::copy_of(artifact).map(Self)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    /// The same bytes, to hand to a runner.
    #[cfg(feature = "confined")]
    pub(crate) fn sealed(&self) -> &hotcell_sandbox::memory::SealedMemory {
        self.0.sealed()
    }
}

/// What an artifact was made from and for. Stored beside it, under the same signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Origin {
    pub(crate) component: Digest,
    pub(crate) profile: EngineProfile,
    pub(crate) tenant: Tenant,
    /// What the component calls itself, for whoever lists the cache. It follows from the digest; files of older
    /// versions have none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) name: String,
}

impl Origin {
    pub(crate) fn key(&self) -> io::Result<Digest> {
        let mut hasher = blake3::Hasher::new_derive_key("hotcell 2026 artifact cache key");
        hasher.update(&serde_json::to_vec(&self.nameless())?);
        Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
    }

    /// What decides which artifact it is.
    fn nameless(&self) -> Self {
        Self {
            name: String::new(),
            ..self.clone()
        }
    }

    fn file_name(&self) -> io::Result<String> {
        let (component, owner) = (self.component, owner_mark(&self.tenant));
        Ok(format!("{component}-{owner}-{}.{SUFFIX}", self.key()?))
    }
}

/// What stands for a tenant in file names: a name may have any length and case, a mark has one.
fn owner_mark(tenant: &Tenant) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("hotcell 2026 artifact cache owner");
    hasher.update(tenant.as_str().as_bytes());
    let mark: String = hasher.finalize().to_hex().chars().take(16).collect();
    mark
}

/// The tenant's mark in a file's name; none in what is no artifact, or an older version's.
fn owner_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let (name, suffix) = name.rsplit_once('.')?;
    if ![SUFFIX, descriptions::SUFFIX].contains(&suffix) {
        return None;
    }
    let (component_and_owner, _key) = name.rsplit_once('-')?;
    let (_component, owner) = component_and_owner.rsplit_once('-')?;
    Some(owner.to_owned())
}

/// A directory of artifacts.
#[derive(Debug)]
pub struct ArtifactCache {
    directory: PathBuf,
    key: [u8; 32],
    max_bytes: u64,
}

/// Why an artifact is not to be had from the cache.
pub(crate) struct Miss {
    pub(crate) why: String,
    /// Its file is not what this host wrote there.
    is_forged: bool,
}

impl Miss {
    pub(crate) fn because(why: String) -> Self {
        let is_forged = false;
        Self { why, is_forged }
    }

    /// What an operator should look at, if anything.
    pub(crate) fn alert(&self) -> Option<Alert> {
        self.is_forged.then(|| Alert {
            kind: AlertKind::SignatureMismatch,
            message: format!("in the cache of compiled kernels: {}", self.why),
        })
    }
}

/// One artifact, as its file says; nothing of it is verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CacheEntry {
    /// The file.
    pub path: PathBuf,
    /// The component it was made from.
    pub component: Digest,
    /// What that calls itself; empty if it has no name.
    pub name: String,
    /// The engine profile it was made for.
    pub profile: EngineProfile,
    /// The tenant it was made for.
    pub tenant: Tenant,
    /// Its size on disk.
    pub bytes: u64,
    /// When it was last used, in seconds since 1970.
    pub last_used: u64,
}

/// Why the cache cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Its directory or key is not the user's own.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The operating system says no.
    #[error("cannot use the artifact cache {}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The artifact alone is larger than the cache.
    #[error("the artifact takes {bytes} bytes on disk, more than the cache's {maximum}")]
    TooLarge {
        /// The artifact's size on disk.
        bytes: u64,
        /// The cache's.
        maximum: u64,
    },
}

impl ArtifactCache {
    /// The size that the cache is pruned to unless told otherwise: 1 GiB.
    pub const DEFAULT_MAX_BYTES: u64 = 1 << 30;

    /// Opens the cache of `places`, making directory and key where they are missing.
    ///
    /// # Errors
    /// A directory or the key is not the user's own, or cannot be made.
    pub fn open(places: &Places, max_bytes: u64) -> Result<Self, CacheError> {
        own_directory(&places.state)?;
        let key = own_key(&places.state.join("artifact.key"))?;
        own_directory(&places.cache)?;
        let directory = places.cache.join("artifacts");
        own_directory(&directory)?;
        Ok(Self {
            directory,
            key,
            max_bytes,
        })
    }

    /// Looks an artifact up. A miss says why.
    pub(crate) fn find(&self, origin: &Origin) -> Result<VerifiedArtifact, Miss> {
        let path = self.path(origin);
        let path = path.map_err(|error| Miss::because(error.to_string()))?;
        let file = match ArtifactFile::read(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Miss::because(self.why_absent(origin)));
            }
            Err(error) => return Err(Miss::because(format!("its file cannot be read: {error}"))),
        };
        match file.and_then(|file| self.verify(file, origin)) {
            Ok(artifact) => {
                note_use(&path);
                Ok(artifact)
            }
            Err(why) => {
                let _ = std::fs::remove_file(&path);
                Err(Miss {
                    why: format!("its file was {why}, and has been removed"),
                    is_forged: true,
                })
            }
        }
    }

    /// Keeps an artifact, then prunes.
    pub(crate) fn store(&self, origin: &Origin, artifact: &[u8]) -> Result<(), CacheError> {
        let (bytes, maximum) = (artifact.len() as u64, self.max_bytes);
        if bytes > maximum {
            return Err(CacheError::TooLarge { bytes, maximum });
        }
        let path = self.path(origin).map_err(|source| self.io(source))?;
        let written = serde_json::to_vec(origin).map_err(io::Error::from);
        let written = written.and_then(|header| self.write(&path, &header, artifact));
        written.map_err(|source| CacheError::Io { path, source })?;
        self.prune_to(self.max_bytes)?;
        Ok(())
    }

    /// Forgets an artifact that turned out to be of no use.
    pub(crate) fn remove(&self, origin: &Origin) {
        if let Ok(path) = self.path(origin) {
            let _ = std::fs::remove_file(path);
        }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The size it is pruned to, in bytes.
    pub fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// Every artifact, least recently used first. Files that are none are left out.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn entries(&self) -> Result<Vec<CacheEntry>, CacheError> {
        let mut entries = Vec::new();
        for file in std::fs::read_dir(&self.directory).map_err(|source| self.io(source))? {
            let path = file.map_err(|source| self.io(source))?.path();
            entries.extend(describe_file(&path));
        }
        entries.sort_by(|a, b| (a.last_used, &a.path).cmp(&(b.last_used, &b.path)));
        Ok(entries)
    }

    /// Removes artifacts until all take at most `max_bytes`: of the tenant that has the most bytes, those used
    /// longest ago. Returns how many artifacts went.
    ///
    /// # Errors
    /// The directory cannot be read or a file not be removed.
    pub fn prune_to(&self, max_bytes: u64) -> Result<usize, CacheError> {
        let files = self.sizes()?;
        let mut total: u64 = files.iter().map(|file| file.bytes).sum();
        if total <= max_bytes {
            return Ok(0);
        }
        let mut shares = Shares::of(files);
        let mut removed = 0;
        while total > max_bytes
            && let Some(file) = shares.next_to_go()
        {
            match std::fs::remove_file(&file.path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    let path = file.path;
                    return Err(CacheError::Io { path, source });
                }
                // What it says of a component goes uncounted.
                _ => removed += usize::from(!descriptions::is_one(&file.path)),
            }
            total -= file.bytes;
        }
        Ok(removed)
    }

    /// Every file in the directory, whatever it is: leftovers count, and are pruned.
    fn sizes(&self) -> Result<Vec<SizedFile>, CacheError> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.directory).map_err(|source| self.io(source))? {
            let path = entry.map_err(|source| self.io(source))?.path();
            // A file that another process has removed since is no error.
            let Ok(found) = std::fs::symlink_metadata(&path) else {
                continue;
            };
            let modified = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let bytes = found.len();
            files.push(SizedFile {
                path,
                modified,
                bytes,
            });
        }
        Ok(files)
    }

    fn path(&self, origin: &Origin) -> io::Result<PathBuf> {
        Ok(self.directory.join(origin.file_name()?))
    }

    fn verify(
        &self,
        file: ArtifactFile,
        origin: &Origin,
    ) -> Result<VerifiedArtifact, &'static str> {
        // `blake3::Hash` compares in constant time.
        if self.sign(&file.head.header, file.artifact.bytes())
            != blake3::Hash::from_bytes(file.head.signature)
        {
            return Err("not signed with this host's key, or changed since");
        }
        // The signature covers the header, so this can only fail for a file under another's name.
        if file.head.origin().map(|found| found.nameless()) != Some(origin.nameless()) {
            return Err("another component's, profile's or tenant's artifact");
        }
        Ok(VerifiedArtifact(file.artifact))
    }

    fn sign(&self, header: &[u8], body: &[u8]) -> blake3::Hash {
        let len = u32::try_from(header.len()).unwrap_or(u32::MAX);
        let mut signer = blake3::Hasher::new_keyed(&self.key);
        signer
            .update(&len.to_le_bytes())
            .update(header)
            .update(body);
        signer.finalize()
    }

    /// Writes a file whole, or none.
    fn write(&self, path: &Path, header: &[u8], body: &[u8]) -> io::Result<()> {
        let len = u32::try_from(header.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut file = tempfile::Builder::new()
            .prefix(".new-")
            .tempfile_in(&self.directory)?;
        for part in [
            &MAGIC[..],
            self.sign(header, body).as_bytes(),
            &len.to_le_bytes(),
            header,
            body,
        ] {
            file.write_all(part)?;
        }
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Why there is no file for an origin: one of the same component may differ in what made it. What other
    /// tenants have compiled is not told.
    fn why_absent(&self, origin: &Origin) -> String {
        let prefix = format!("{}-", origin.component);
        let of_component = |entry: std::io::Result<std::fs::DirEntry>| {
            let path = entry.ok()?.path();
            let is_candidate = path.file_name()?.to_str()?.starts_with(&prefix);
            is_candidate.then(|| describe_file(&path)).flatten()
        };
        let newest = std::fs::read_dir(&self.directory)
            .into_iter()
            .flatten()
            .filter_map(of_component)
            .filter(|entry| entry.component == origin.component && entry.tenant == origin.tenant)
            .max_by_key(|entry| entry.last_used);
        match newest {
            None => "not compiled before".to_owned(),
            Some(entry) => difference(&entry.profile, &origin.profile),
        }
    }

    fn io(&self, source: io::Error) -> CacheError {
        CacheError::Io {
            path: self.directory.clone(),
            source,
        }
    }
}

struct SizedFile {
    path: PathBuf,
    modified: SystemTime,
    bytes: u64,
}

/// Files by the mark of their tenant; what has none is nobody's.
struct Shares(BTreeMap<Option<String>, TenantShare>);

#[derive(Default)]
struct TenantShare {
    bytes: u64,
    /// Those used longest ago last.
    files: Vec<SizedFile>,
}

impl Shares {
    fn of(files: Vec<SizedFile>) -> Self {
        let mut shares = BTreeMap::<Option<String>, TenantShare>::new();
        for file in files {
            let share = shares.entry(owner_of(&file.path)).or_default();
            share.bytes += file.bytes;
            share.files.push(file);
        }
        for share in shares.values_mut() {
            share.files.sort_by_key(|file| Reverse(file.modified));
        }
        Self(shares)
    }

    /// Takes out the file used longest ago of who has the most.
    fn next_to_go(&mut self) -> Option<SizedFile> {
        let left = self.0.values_mut().filter(|share| !share.files.is_empty());
        let most = left.max_by_key(|share| share.bytes)?;
        let file = most.files.pop()?;
        most.bytes -= file.bytes;
        Some(file)
    }
}

/// An artifact's file; nothing is verified yet.
struct ArtifactFile {
    head: Head,
    artifact: ArtifactMemory,
}

impl ArtifactFile {
    /// Reads a file, each byte once; `Err` inside says why it is none.
    fn read(path: &Path) -> io::Result<Result<Self, &'static str>> {
        let mut file = File::open(path)?;
        let len = file.metadata()?.len();
        let Some(head) = Head::read(&mut file)? else {
            return Ok(Err("no artifact"));
        };
        let artifact_bytes = len.saturating_sub(head.bytes());
        if artifact_bytes > Limit::ArtifactBytes.ceiling() {
            return Ok(Err("larger than any artifact"));
        }
        let artifact = ArtifactMemory::read(&mut file, artifact_bytes)?;
        Ok(Ok(Self { head, artifact }))
    }
}

/// What stands before the artifact in its file.
struct Head {
    signature: [u8; 32],
    header: Vec<u8>,
}

impl Head {
    /// Bytes before the header: magic, signature, the header's length.
    const FIXED_BYTES: usize = MAGIC.len() + 32 + 4;

    /// Reads the head; `None` if it is none.
    fn read(file: &mut impl Read) -> io::Result<Option<Self>> {
        let mut fixed = [0; Self::FIXED_BYTES];
        if !read_whole(file, &mut fixed)? {
            return Ok(None);
        }
        let Some((signature, len)) = fixed
            .strip_prefix(MAGIC)
            .and_then(|rest| rest.split_first_chunk::<32>())
        else {
            return Ok(None);
        };
        let len = len.first_chunk::<4>().map(|len| u32::from_le_bytes(*len));
        let len = len.and_then(|len| usize::try_from(len).ok());
        let Some(len) = len.filter(|len| *len <= HEADER_BYTES) else {
            return Ok(None);
        };
        let mut header = vec![0; len];
        let signature = *signature;
        Ok(read_whole(file, &mut header)?.then_some(Self { signature, header }))
    }

    /// The bytes it takes in the file.
    fn bytes(&self) -> u64 {
        (Self::FIXED_BYTES + self.header.len()) as u64
    }

    fn origin(&self) -> Option<Origin> {
        serde_json::from_slice(&self.header).ok()
    }
}

/// Marks a file as used just now, for pruning by last use; a read-only cache still serves.
fn note_use(path: &Path) {
    let file = File::options().append(true).open(path);
    let _ = file.and_then(|file| file.set_modified(SystemTime::now()));
}

/// Fills `bytes`; false if the file ends before.
fn read_whole(file: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// What a file says of itself.
fn describe_file(path: &Path) -> Option<CacheEntry> {
    if path.extension()? != SUFFIX {
        return None;
    }
    let mut file = File::open(path).ok()?;
    let found = file.metadata().ok()?;
    let origin = Head::read(&mut file).ok()??.origin()?;
    let since_1970 = found
        .modified()
        .ok()?
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()?;
    Some(CacheEntry {
        path: path.to_owned(),
        component: origin.component,
        name: origin.name,
        profile: origin.profile,
        tenant: origin.tenant,
        bytes: found.len(),
        last_used: since_1970.as_secs(),
    })
}

/// The first thing in which two profiles differ.
fn difference(old: &EngineProfile, new: &EngineProfile) -> String {
    let changed =
        |what: &str, old: &str, new: &str| format!("compiled before {what} {old}, now {new}");
    if old.compiler != new.compiler {
        changed("by", &old.compiler, &new.compiler)
    } else if old.configuration != new.configuration {
        let (old, new) = (old.configuration.to_string(), new.configuration.to_string());
        changed("under configuration", &old, &new)
    } else if old.target != new.target {
        changed("for", &old.target, &new.target)
    } else if old.cpu_features != new.cpu_features {
        changed("for a CPU with", &old.cpu_features, &new.cpu_features)
    } else {
        changed("in metering mode", old.metering.name(), new.metering.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::profile::Metering;

    fn cache() -> (tempfile::TempDir, ArtifactCache) {
        let base = tempfile::tempdir().unwrap();
        let places = Places {
            state: base.path().join("state"),
            cache: base.path().join("cache"),
        };
        let cache = ArtifactCache::open(&places, 1 << 20).unwrap();
        (base, cache)
    }

    fn origin(component: u8, tenant: &str, metering: Metering) -> Origin {
        Origin {
            component: Digest::from_bytes([component; 32]),
            profile: EngineProfile {
                compiler: "test 1".into(),
                configuration: 1,
                metering,
                target: "none".into(),
                cpu_features: String::new(),
            },
            tenant: tenant.parse().unwrap(),
            name: String::new(),
        }
    }

    fn miss(cache: &ArtifactCache, origin: &Origin) -> String {
        cache.find(origin).err().expect("a miss").why
    }

    #[test]
    fn an_artifact_comes_back_as_it_was() {
        let (_base, cache) = cache();
        let origin = origin(1, "a", Metering::Strict);
        assert_eq!(miss(&cache, &origin), "not compiled before");
        cache.store(&origin, b"machine code").unwrap();
        assert_eq!(cache.find(&origin).ok().unwrap().bytes(), b"machine code");
    }

    #[test]
    fn an_artifact_has_its_components_name_and_is_found_without_it() {
        let (_base, cache) = cache();
        let nameless = origin(1, "a", Metering::Strict);
        let named = Origin {
            name: "saxpy".to_owned(),
            ..nameless.clone()
        };
        cache.store(&named, b"x").unwrap();
        assert_eq!(cache.entries().unwrap()[0].name, "saxpy");
        assert!(cache.find(&nameless).is_ok() && cache.find(&named).is_ok());
    }

    #[test]
    fn a_miss_says_why() {
        let (_base, cache) = cache();
        cache
            .store(&origin(1, "a", Metering::Strict), b"x")
            .unwrap();
        assert!(miss(&cache, &origin(1, "a", Metering::Fast)).contains("strict, now fast"));
        assert_eq!(
            miss(&cache, &origin(1, "b", Metering::Strict)),
            "not compiled before"
        );
        let mut newer = origin(1, "a", Metering::Strict);
        newer.profile.compiler = "test 2".into();
        assert!(miss(&cache, &newer).contains("by test 1, now test 2"));
    }

    #[test]
    fn an_edited_artifact_is_rejected_at_every_byte_and_removed() {
        let (_base, cache) = cache();
        let origin = origin(1, "a", Metering::Strict);
        cache.store(&origin, b"machine code").unwrap();
        let path = cache.path(&origin).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for position in 0..whole.len() {
            let mut edited = whole.clone();
            edited[position] ^= 1;
            std::fs::write(&path, &edited).unwrap();
            assert!(miss(&cache, &origin).contains("removed"), "byte {position}");
            assert!(!path.exists());
        }
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert!(miss(&cache, &origin).contains("removed"));
    }

    #[test]
    fn an_artifact_under_anothers_name_is_rejected() {
        let (_base, cache) = cache();
        let (mine, theirs) = (
            origin(1, "a", Metering::Strict),
            origin(1, "b", Metering::Strict),
        );
        cache.store(&mine, b"mine").unwrap();
        std::fs::rename(cache.path(&mine).unwrap(), cache.path(&theirs).unwrap()).unwrap();
        assert!(miss(&cache, &theirs).contains("another component's"));
    }

    #[test]
    fn an_artifact_of_another_key_is_rejected() {
        let (base, cache) = cache();
        let origin = origin(1, "a", Metering::Strict);
        cache.store(&origin, b"x").unwrap();
        std::fs::remove_file(base.path().join("state/artifact.key")).unwrap();
        let places = Places {
            state: base.path().join("state"),
            cache: base.path().join("cache"),
        };
        let other = ArtifactCache::open(&places, 1 << 20).unwrap();
        assert!(miss(&other, &origin).contains("not signed with this host's key"));
    }

    #[test]
    fn the_cache_stays_within_its_size_and_drops_what_was_used_longest_ago() {
        let (_base, cache) = cache();
        let artifact = vec![0; 300 << 10];
        for component in 0..5 {
            cache
                .store(&origin(component, "a", Metering::Strict), &artifact)
                .unwrap();
            let path = cache
                .path(&origin(component, "a", Metering::Strict))
                .unwrap();
            let used = SystemTime::UNIX_EPOCH
                + std::time::Duration::from_secs(1000 + u64::from(component));
            File::options()
                .append(true)
                .open(path)
                .unwrap()
                .set_modified(used)
                .unwrap();
        }
        let left: Vec<u8> = cache
            .entries()
            .unwrap()
            .iter()
            .map(|e| e.component.as_bytes()[0])
            .collect();
        assert_eq!(left, [2, 3, 4]);
        assert_eq!(cache.prune_to(0).unwrap(), 3);
    }

    /// Stores an artifact of so many KiB, as if it had been used so many seconds after 1970.
    fn store_used(cache: &ArtifactCache, origin: &Origin, kib: usize, used: u64) {
        cache.store(origin, &vec![0; kib << 10]).unwrap();
        let used = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(used);
        let file = File::options()
            .append(true)
            .open(cache.path(origin).unwrap());
        file.unwrap().set_modified(used).unwrap();
    }

    #[test]
    fn a_tenant_that_fills_the_cache_pushes_out_its_own() {
        let (_base, cache) = cache();
        let other = origin(1, "b", Metering::Strict);
        store_used(&cache, &other, 300, 1000);
        // A leftover of an older version is nobody's.
        let leftover = cache.directory.join("old-name.artifact");
        std::fs::write(&leftover, vec![0; 200 << 10]).unwrap();
        for component in 0..8 {
            let own = origin(component, "a", Metering::Strict);
            store_used(&cache, &own, 100, 2000 + u64::from(component));
        }
        let of = |tenant: &str| {
            let entries = cache.entries().unwrap().into_iter();
            let own = entries.filter(|entry| entry.tenant.as_str() == tenant);
            own.map(|entry| entry.component.as_bytes()[0])
                .collect::<Vec<_>>()
        };
        assert_eq!((of("b"), of("a")), (vec![1], vec![3, 4, 5, 6, 7]));
        assert!(leftover.exists());
        // Beyond its part it makes room for others.
        store_used(&cache, &origin(2, "b", Metering::Strict), 400, 3000);
        assert_eq!(of("b"), [2]);
        let large = cache.store(&other, &vec![0; (1 << 20) + 1]);
        assert!(
            matches!(large, Err(CacheError::TooLarge { .. })),
            "{large:?}"
        );
        assert_eq!(of("b"), [2]);
    }
}
