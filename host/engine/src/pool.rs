//! The pool of slots that a runner instantiates components in, and what one component may take of it.
//!
//! The numbers are here alone: the runner's pool is configured from them, and the census of a component is held
//! against them before anything is compiled, so that what compiles also loads.

use hotcell_model::limit::Limit;

/// The most bytes that the engine keeps about the instances of one component, besides their memories and tables:
/// its context, and what each import, function, global, table and memory of its core instances has there.
pub const METADATA_BYTES: u64 = 4 << 20;

/// At most what the engine keeps about one import, function, global, table, memory or entry of a component: a
/// reference to a function with its import, the largest of them, is seven pointers.
pub const METADATA_BYTES_PER_ENTRY: u64 = 64;

/// At most what the engine keeps about a core instance, and about the component, without any.
pub const METADATA_BYTES_PER_INSTANCE: u64 = 1024;

/// What instances of one component take of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolNeed {
    /// Core instances.
    pub core_instances: u64,
    /// Linear memories, over all core instances.
    pub memories: u64,
    /// Tables, over all core instances.
    pub tables: u64,
    /// Bytes that the largest memory has from its start.
    pub memory_bytes: u64,
    /// Elements that the largest table has from its start.
    pub table_elements: u64,
    /// Bytes that the engine keeps about the instances, at most.
    pub metadata_bytes: u64,
}

impl PoolNeed {
    /// Adds what another instance takes beside this.
    pub fn add(&mut self, other: &Self) {
        self.core_instances = self.core_instances.saturating_add(other.core_instances);
        self.memories = self.memories.saturating_add(other.memories);
        self.tables = self.tables.saturating_add(other.tables);
        self.memory_bytes = self.memory_bytes.max(other.memory_bytes);
        self.table_elements = self.table_elements.max(other.table_elements);
        self.metadata_bytes = self.metadata_bytes.saturating_add(other.metadata_bytes);
    }

    /// Makes this at least as much as another.
    pub fn widen(&mut self, other: &Self) {
        self.core_instances = self.core_instances.max(other.core_instances);
        self.memories = self.memories.max(other.memories);
        self.tables = self.tables.max(other.tables);
        self.memory_bytes = self.memory_bytes.max(other.memory_bytes);
        self.table_elements = self.table_elements.max(other.table_elements);
        self.metadata_bytes = self.metadata_bytes.max(other.metadata_bytes);
    }

    /// What is needed of each thing that has a limit's name.
    pub fn counts(&self) -> [(Limit, u64); 5] {
        [
            (Limit::Instances, self.core_instances),
            (Limit::Memories, self.memories),
            (Limit::Tables, self.tables),
            (Limit::Memory, self.memory_bytes),
            (Limit::TableElements, self.table_elements),
        ]
    }
}

/// What the pool has for one component of what `limit` counts, if it has such: as much as any launch may be allowed.
/// What a launch may hold is the runner's limiter to say.
pub fn room(limit: Limit) -> Option<u64> {
    let counts = PoolNeed::default().counts();
    let is_counted = counts.iter().any(|(counted, _)| *counted == limit);
    is_counted.then(|| limit.ceiling())
}

/// A pool for `slots` instances of components.
#[cfg(feature = "run")]
pub fn pool(slots: u32) -> wasmtime::PoolingAllocationConfig {
    let room = |limit| room(limit).unwrap_or(u64::MAX);
    let count = |limit| u32::try_from(room(limit)).unwrap_or(u32::MAX);
    let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    // An SDK component has three core instances (one with code, two of adapter glue), one memory and
    // two tables; slots beyond that serve components by other hands.
    let mut pool = wasmtime::PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots.saturating_mul(4).max(count(Limit::Instances)))
        .total_memories(slots.max(count(Limit::Memories)))
        .total_tables(slots.saturating_mul(2).max(count(Limit::Tables)))
        .max_core_instances_per_component(count(Limit::Instances))
        .max_memories_per_component(count(Limit::Memories))
        .max_tables_per_component(count(Limit::Tables))
        .max_memories_per_module(count(Limit::Memories))
        .max_tables_per_module(count(Limit::Tables))
        .table_elements(size(room(Limit::TableElements)))
        .max_memory_size(size(room(Limit::Memory)))
        .max_core_instance_size(size(METADATA_BYTES))
        .max_component_instance_size(size(METADATA_BYTES));
    pool
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_add_up_and_sizes_are_the_largest() {
        let one = PoolNeed {
            core_instances: 1,
            memories: 2,
            tables: 3,
            memory_bytes: 4,
            table_elements: 5,
            metadata_bytes: u64::MAX - 1,
        };
        let mut both = one;
        both.add(&one);
        let counts = both.counts().map(|(_, count)| count);
        assert_eq!(counts, [2, 4, 6, 4, 5]);
        assert_eq!(both.metadata_bytes, u64::MAX);
    }
}
