//! What `wit-bindgen` makes of `wit/kernel`: the host's functions and the export's glue.
//!
//! Private to the SDK in all but name: `export!` expands in the author's crate and so must reach it.
//! An interface is imported by a component only if some function of it is linked, which is why the
//! launch path calls `arrays` and `failure` alone.

wit_bindgen::generate!({
    path: "../../wit/kernel",
    world: "kernel",
    pub_export_macro: true,
    export_macro_name: "export_world",
    default_bindings_module: "hotcell_guest::__private::bindings",
});
