//! The corpora of shaders: honest ones that must be admitted, hostile ones that must end as they say.
//!
//! A file's first line says how it is to be used (see [`header`]). Hostile shaders are looked at twice: by
//! admission and the fuel pass alone, and, with feature `device`, on Mesa's lavapipe, each in a process of its
//! own, once with everything on and, with feature `unchecked`, once with nothing but containment.

#[cfg(feature = "device")]
mod child;
#[cfg(feature = "device")]
mod execution;
mod generated;
mod header;
mod honest;
mod hostile;
