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

/// What `wit-bindgen` makes of `wit/gpu`, over the same arrays.
///
/// A world of imports only, merged into the component's: the export stays the one above.
#[cfg(all(feature = "gpu", target_arch = "wasm32"))]
pub mod gpu {
    wit_bindgen::generate!({
        inline: "
            package hotcell:guest;

            world gpu {
                import hotcell:gpu/compute@0.2.0;
                import hotcell:gpu/text@0.2.0;
            }
        ",
        path: ["../../wit/kernel", "../../wit/gpu"],
        with: {
            "hotcell:kernel/arrays@0.2.0": crate::bindings::hotcell::kernel::arrays,
            "hotcell:gpu/compute@0.2.0": generate,
            "hotcell:gpu/text@0.2.0": generate,
        },
    });
}
