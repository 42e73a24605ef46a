//! The code of `export!`: the entries, and the manifest's records for what the SDK makes of them.

use crate::expand::entry_name;
use hotcell_manifest::{ComponentRecord, Record};
use proc_macro2::{Literal, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Ident, Path, Result, Token, token};

/// The kernels to export, by path.
pub(crate) struct Kernels(Vec<Path>);

impl Parse for Kernels {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut paths = Vec::new();
        while !input.is_empty() {
            let mut start = Path {
                leading_colon: input.parse()?,
                segments: Punctuated::new(),
            };
            flatten(input, &mut start, &mut paths)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(Self(paths))
    }
}

/// The paths of a tree as `use` has them: `filters::{blur, edges}`.
fn flatten(input: ParseStream<'_>, path: &mut Path, paths: &mut Vec<Path>) -> Result<()> {
    if input.peek(token::Brace) {
        let content;
        syn::braced!(content in input);
        while !content.is_empty() {
            flatten(&content, path, paths)?;
            if !content.is_empty() {
                content.parse::<Token![,]>()?;
            }
        }
        return Ok(());
    }
    if let Some(glob) = input.parse::<Option<Token![*]>>()? {
        let message = "a component's kernels are listed one by one";
        return Err(Error::new_spanned(glob, message));
    }
    let name = input.call(Ident::parse_any)?;
    if input.parse::<Option<Token![as]>>()?.is_some() {
        let renamed: Ident = input.parse()?;
        let message = "a kernel is exported under its function's name";
        return Err(Error::new(renamed.span(), message));
    }
    path.segments.push(name.into());
    if input.parse::<Option<Token![::]>>()?.is_some() {
        flatten(input, path, paths)?;
    } else {
        paths.push(path.clone());
    }
    path.segments.pop();
    // The separator that was before it: the next step sets its own.
    path.segments.pop_punct();
    Ok(())
}

pub(crate) fn expand(kernels: &Kernels) -> Result<TokenStream> {
    let entries = entries(kernels)?;
    let component = Literal::byte_string(&component_record());
    Ok(quote! {
        #[doc(hidden)]
        pub static HOTCELL_ENTRIES: &[&::hotcell_guest::__private::Entry] = &[#(&#entries),*];

        const _: () = {
            ::hotcell_guest::__export!(HOTCELL_ENTRIES, &[#component, #(#entries.record()),*]);
        };
    })
}

/// The paths of the hidden constants beside the kernels.
fn entries(kernels: &Kernels) -> Result<Vec<TokenStream>> {
    if kernels.0.is_empty() {
        return Err(Error::new(
            Span::call_site(),
            "a component has at least one kernel",
        ));
    }
    let mut seen: Vec<Ident> = Vec::new();
    let mut entries = Vec::new();
    for path in &kernels.0 {
        let mut path = path.clone();
        let segment = path
            .segments
            .last_mut()
            .expect("a parsed path is not empty");
        if seen.contains(&segment.ident) {
            let message = format!(
                "two kernels named `{}`: their entries would be one",
                segment.ident
            );
            return Err(Error::new(segment.ident.span(), message));
        }
        seen.push(segment.ident.clone());
        segment.ident = entry_name(&segment.ident);
        entries.push(path.into_token_stream());
    }
    Ok(entries)
}

/// The component's record: name and version of the package being compiled, as Cargo tells it.
fn component_record() -> Vec<u8> {
    let variable = |name| std::env::var(name).unwrap_or_default();
    let component = ComponentRecord {
        name: variable("CARGO_PKG_NAME"),
        version: variable("CARGO_PKG_VERSION"),
    };
    Record::from(component).encode()
}
