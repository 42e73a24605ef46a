//! The corpus of hostile shaders on Mesa's lavapipe, each in a process of its own: once with everything on and, with
//! feature `unchecked`, once with nothing but containment.

mod child;
mod execution;
#[path = "../../../shader/tests/corpus/header.rs"]
mod header;
