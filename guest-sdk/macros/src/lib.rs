//! The macros of the hotcell guest SDK, documented where authors see them: in `hotcell-guest`.
//!
//! `#[kernel]` goes through four steps, one module each: `attributes` reads the attribute,
//! `function` and `parameters` the function, `model` matches one with the other under the rules of the
//! manifest, and `expand` writes the code. Every mistake is reported at the token that made it.

use proc_macro::TokenStream;
use syn::parse_macro_input;

mod attributes;
mod expand;
mod export;
mod function;
mod model;
mod parameters;
mod record;

/// Makes a function a kernel: see the crate's page.
#[proc_macro_attribute]
pub fn kernel(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let attributes = parse_macro_input!(attribute as attributes::Attributes);
    let function = parse_macro_input!(item as function::Function);
    let expanded = model::Model::new(attributes, &function)
        .map(|model| expand::expand(&model, &function))
        // The function itself stays, so that its callers do not fail as well.
        .unwrap_or_else(|error| {
            let error = error.to_compile_error();
            quote::quote!(#function #error)
        });
    expanded.into()
}

/// Makes the crate's kernels a component: `export!(saxpy, filters::{blur, edges})`, once, at the
/// crate's root.
///
/// A kernel in a module is named by its path; that a `use` has brought its function elsewhere does
/// not bring what belongs to it. The function may be private, its modules must be visible.
///
/// It also defines `HOTCELL_ENTRIES`, the list that `native::Launch` takes.
#[proc_macro]
pub fn export(input: TokenStream) -> TokenStream {
    let kernels = parse_macro_input!(input as export::Kernels);
    export::expand(&kernels)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
