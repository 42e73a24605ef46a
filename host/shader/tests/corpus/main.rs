//! The corpora of shaders: honest ones that must be admitted, hostile ones that must end as they say.
//!
//! A file's first line says how it is to be used (see [`header`]). Here they are looked at by admission and the fuel pass
//! alone; the tests of `hotcell-gpu` run the hostile ones.

mod generated;
mod header;
mod honest;
mod hostile;
