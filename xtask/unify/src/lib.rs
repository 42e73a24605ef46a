//! Nothing: this package's dependencies are what it is for. See `cargo xtask workers`.
