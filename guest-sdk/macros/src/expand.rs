//! The code that `#[kernel]` adds beside the author's function.
//!
//! One hidden constant, an `Entry`, with two functions inside it. `__hotcell_kernel` is the kernel in
//! the Wasm: exported under a stable name, never inlined, its dimensions plain integers. It rebuilds
//! the author's parameters and calls the author's function, which is inlined into it.
//! `__hotcell_call` unpacks slots into its parameters.

use crate::function::Function;
use crate::model::{Matched, Model};
use crate::parameters::{Array, Form, Halo, Kind, Parameter, ungrouped};
use hotcell_manifest::{DType, Dim, Role};
use proc_macro2::{Literal, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, ReturnType, Type, Visibility};

/// The kernel function's prefix among a module's exports.
const EXPORT_PREFIX: &str = "hotcell-kernel:";

/// The function itself and its entry.
pub(crate) fn expand(model: &Model, function: &Function) -> TokenStream {
    let name = &model.name;
    // The whole crate sees it, whoever may call the function: `export!` stands at the root.
    let vis = match &function.vis {
        vis @ Visibility::Public(_) => vis.to_token_stream(),
        _ => quote!(pub(crate)),
    };
    let inline = inline(function);
    let entry = entry_name(name);
    let body = entry_body(model, function);
    quote! {
        #inline
        #function

        #[doc(hidden)]
        #[allow(non_upper_case_globals)]
        #vis const #entry: ::hotcell_guest::__private::Entry = { #body };
    }
}

/// The hidden constant's name for a kernel's.
///
/// An author sees it where `export!` names something else: a function that is no kernel, or a kernel
/// that only a `use` has brought to the root. So the name says what was expected.
pub(crate) fn entry_name(kernel: &Ident) -> Ident {
    let name = format!("{kernel}__must_be_a_kernel_named_by_its_modules_path");
    Ident::new(&name, kernel.span())
}

/// The author's function belongs into the exported one; where the author decides, that holds.
///
/// `inline(always)` would be too much: LLVM then inlines before it has cleaned the function up, and
/// what the parameters' types say of aliasing is lost.
fn inline(function: &Function) -> Option<TokenStream> {
    let mut attributes = function.attrs.iter();
    let decided = attributes.any(|attribute| attribute.path().is_ident("inline"));
    (!decided).then(|| quote!(#[inline]))
}

fn entry_body(model: &Model, function: &Function) -> TokenStream {
    let text = model.name.to_string();
    let dims = &model.dims;
    let params = each_slot(model, describe);
    let halos = model.halos.iter().map(|halo| halo_of_entry(model, halo));
    let record = Literal::byte_string(&model.record);
    let kernel = kernel_function(model, function);
    let call = call_function(model, function);
    quote! {
        #kernel
        #call
        // SAFETY: the two functions above and the parameters come from one list.
        unsafe {
            ::hotcell_guest::__private::Entry::new(
                #text, &[#(#dims),*], &[#(#halos),*], &[#(#params),*], #record, __hotcell_call,
            )
        }
    }
}

/// What the SDK needs to know of a halo: whose rows to count, and how many more there are.
fn halo_of_entry(model: &Model, halo: &Halo) -> TokenStream {
    let parameter = model.parameters.iter();
    let at = parameter
        .enumerate()
        .find(|(_, p)| p.name == halo.parameter);
    let (at, _) = at.expect("a halo is a parameter's");
    let dim = match matched(model, at).dims.first() {
        Some(Dim::Name(name)) => model.dim_position(name),
        _ => unreachable!("an input with a halo begins with the split dimension"),
    };
    let rows = Literal::u32_unsuffixed(halo.rows);
    quote!(::hotcell_guest::__private::Halo { dim: #dim, rows: #rows })
}

/// The rows of an input with a halo, which are more than its dimension's extent.
fn rows_local(halo: &Halo) -> Ident {
    local("rows", &halo.parameter.to_string())
}

/// The halo of the parameter at that position, with its own position among the halos.
fn halo_at(model: &Model, at: usize) -> Option<(usize, &Halo)> {
    let parameter = &model.parameters[at];
    let mut halos = model.halos.iter().enumerate();
    halos.find(|(_, halo)| halo.parameter == parameter.name)
}

/// Code for each parameter that has a slot, with the slot's position.
fn each_slot(
    model: &Model,
    code: impl Fn(&Model, usize, &Parameter, usize) -> TokenStream,
) -> Vec<TokenStream> {
    let with_slot = model.parameters.iter().enumerate();
    let with_slot = with_slot.filter(|(_, p)| !matches!(p.kind, Kind::Extent));
    let code = with_slot
        .enumerate()
        .map(|(slot, (at, p))| code(model, at, p, slot));
    code.collect()
}

/// A local variable of the expansion, which no name of the author's can meet.
fn local(prefix: &str, name: &str) -> Ident {
    format_ident!("{prefix}_{name}", span = Span::mixed_site())
}

fn dim_local(name: &str) -> Ident {
    local("dim", name)
}

fn argument_local(parameter: &Parameter) -> Ident {
    local("arg", &parameter.name.to_string())
}

/// The kernel as analyses find it in the module.
fn kernel_function(model: &Model, function: &Function) -> TokenStream {
    let name = &model.name;
    let export_name = format!("{EXPORT_PREFIX}{name}");
    let dims = model.dims.iter().map(|dim| {
        let dim = dim_local(dim);
        quote!(#dim: usize,)
    });
    let rows = model.halos.iter().map(|halo| {
        let rows = rows_local(halo);
        quote!(#rows: usize,)
    });
    let declared = each_slot(model, declare);
    let failure = local("failure", "");
    let declared_failure = fails(function).then(failure_type);
    let declared_failure = declared_failure.map(|ty| quote!(#failure: #ty));
    let values = model.parameters.iter().enumerate();
    let values = values.map(|(at, parameter)| rebuild(model, at, parameter));
    // Through a pointer, so that rustc's own inliner leaves the call to LLVM's, which keeps what
    // the signature says of aliasing.
    let types = model.parameters.iter().map(|_| quote!(_));
    let span = match &function.output {
        ReturnType::Type(_, ty) => ty.span(),
        ReturnType::Default => Span::call_site(),
    };
    let mut call = quote_spanned!(span=> (#name as fn(#(#types),*) -> _)(#(#values),*));
    if fails(function) {
        call = quote_spanned!(span=> *#failure = ::hotcell_guest::__private::failure(#call));
    }
    quote! {
        #[cfg_attr(target_arch = "wasm32", unsafe(export_name = #export_name))]
        #[inline(never)]
        #[allow(clippy::too_many_arguments, unused_variables)]
        unsafe extern "C-unwind" fn __hotcell_kernel(#(#dims)* #(#rows)* #(#declared,)* #declared_failure) {
            #call;
        }
    }
}

/// The kernel behind the one type that all entries share.
fn call_function(model: &Model, function: &Function) -> TokenStream {
    let (dims, slots, failure) = (local("dims", ""), local("slots", ""), local("failure", ""));
    let failure_type = failure_type();
    let extents = 0..model.dims.len() + model.halos.len();
    let extents = extents.map(|at| quote!(*#dims.add(#at),));
    let values = each_slot(model, |_, _, parameter, slot| match parameter.kind {
        Kind::Scalar(_) => {
            quote!(::hotcell_guest::__private::ScalarType::from_bits((*#slots.add(#slot)).bits()),)
        }
        _ => quote!((*#slots.add(#slot)).address(),),
    });
    let passed_failure = fails(function).then(|| quote!(#failure));
    quote! {
        #[allow(unused_variables)]
        unsafe fn __hotcell_call(
            #dims: *const usize,
            #slots: *const ::hotcell_guest::__private::Slot,
            #failure: #failure_type,
        ) {
            // SAFETY: there are as many extents and slots as the entry says, and the slots fit the parameters, as the
            // caller promises.
            unsafe { __hotcell_kernel(#(#extents)* #(#values)* #passed_failure) }
        }
    }
}

/// Whether the function returns something: a `Result`, as the expansion makes the compiler check.
fn fails(function: &Function) -> bool {
    match &function.output {
        ReturnType::Default => false,
        ReturnType::Type(_, ty) => {
            !matches!(ungrouped(ty), Type::Tuple(tuple) if tuple.elems.is_empty())
        }
    }
}

fn failure_type() -> TokenStream {
    quote!(&mut ::std::option::Option<::std::string::String>)
}

/// A parameter of the kernel function: scalars by value, all else by address.
fn declare(_: &Model, _: usize, parameter: &Parameter, _: usize) -> TokenStream {
    let (name, ty) = (argument_local(parameter), &parameter.ty);
    match &parameter.kind {
        Kind::Scalar(_) => quote!(#name: #ty),
        Kind::Extent | Kind::Chunk => quote!(#name: *const #ty),
        Kind::Array(array) => {
            let element = &array.element;
            match (array.form, array.mutable) {
                (Form::Stream, false) => {
                    quote!(#name: *const ::hotcell_guest::__private::Reader<'_>)
                }
                (Form::Stream, true) => quote!(#name: *mut ::hotcell_guest::__private::Writer<'_>),
                (Form::Exchange, _) => quote!(#name: *mut ::hotcell_guest::__private::Exchange<'_>),
                (_, false) => quote!(#name: *const #element),
                (_, true) => quote!(#name: *mut #element),
            }
        }
    }
}

/// The author's argument, made of the kernel function's.
fn rebuild(model: &Model, at: usize, parameter: &Parameter) -> TokenStream {
    let name = argument_local(parameter);
    match &parameter.kind {
        Kind::Scalar(_) => quote!(#name),
        Kind::Extent => {
            let dim = dim_local(&parameter.name.to_string());
            quote!(#dim)
        }
        // SAFETY (of these lines): each address is what its slot's parameter says.
        Kind::Chunk => quote!(unsafe { *#name }),
        Kind::Array(array) => {
            let helper = helper(array);
            let shape = shape(model, at, array);
            let ty = &parameter.ty;
            quote_spanned!(ty.span()=> unsafe { ::hotcell_guest::__private::#helper(#name #shape) })
        }
    }
}

/// The SDK's function that makes an array parameter of an address.
fn helper(array: &Array) -> Ident {
    let name = match array.form {
        Form::Slice => "slice",
        Form::View(_) => "view",
        Form::Stream => "chunks",
        Form::Exchange => return format_ident!("chunks_inout"),
    };
    let suffix = if array.mutable { "_mut" } else { "" };
    format_ident!("{name}{suffix}")
}

/// The helper's second argument: a length, a shape or nothing.
fn shape(model: &Model, at: usize, array: &Array) -> TokenStream {
    let mut extents: Vec<_> = matched(model, at)
        .dims
        .iter()
        .map(|dim| match dim {
            Dim::Name(name) => dim_local(name).to_token_stream(),
            Dim::Fixed(extent) => Literal::u64_unsuffixed(*extent).to_token_stream(),
        })
        .collect();
    if let (Some((_, halo)), Some(first)) = (halo_at(model, at), extents.first_mut()) {
        *first = rows_local(halo).to_token_stream();
    }
    match array.form {
        Form::Slice => quote!(, 1_usize #(* #extents)*),
        Form::View(_) => quote!(, [#(#extents),*]),
        Form::Stream | Form::Exchange => TokenStream::new(),
    }
}

fn matched(model: &Model, at: usize) -> &Matched {
    let matched = model.arrays[at].as_ref();
    matched.expect("every array was matched with the signature")
}

/// The `Param` that tells the SDK what a slot must hold.
fn describe(model: &Model, at: usize, parameter: &Parameter, _: usize) -> TokenStream {
    let name = parameter.name.to_string();
    match &parameter.kind {
        Kind::Scalar(dtype) => {
            let kind = scalar_kind(*dtype);
            quote! {
                ::hotcell_guest::__private::Param::Scalar {
                    name: #name,
                    kind: ::hotcell_guest::__private::ScalarKind::#kind,
                }
            }
        }
        Kind::Extent | Kind::Chunk => quote!(::hotcell_guest::__private::Param::Chunk),
        Kind::Array(array) => describe_array(model, at, &name, array),
    }
}

fn describe_array(model: &Model, at: usize, name: &str, array: &Array) -> TokenStream {
    let Matched { role, dims } = matched(model, at);
    let access = match role {
        Role::Input => quote!(In),
        Role::Inout => quote!(InOut),
        Role::Output | Role::Scalar => quote!(Out),
    };
    let mut first = halo_at(model, at).map(|(halo, _)| model.dims.len() + halo);
    let extents = dims.iter().map(|dim| match dim {
        _ if first.is_some() => {
            let position = first.take();
            quote!(::hotcell_guest::__private::Extent::Dim(#position))
        }
        Dim::Name(name) => {
            let position = model.dim_position(name);
            quote!(::hotcell_guest::__private::Extent::Dim(#position))
        }
        Dim::Fixed(extent) => {
            let extent = Literal::u64_unsuffixed(*extent);
            quote!(::hotcell_guest::__private::Extent::Fixed(#extent))
        }
    });
    let (element, dtype, streamed) = (
        &array.element,
        array.dtype.name(),
        matches!(array.form, Form::Stream | Form::Exchange),
    );
    quote_spanned! {element.span()=>
        ::hotcell_guest::__private::Param::Array(
            ::hotcell_guest::__private::ArrayParam::of::<#element>(
                #name,
                #dtype,
                &[#(#extents),*],
                ::hotcell_guest::__private::Access::#access,
                #streamed,
            ),
        )
    }
}

fn scalar_kind(dtype: DType) -> Ident {
    let name = match dtype {
        DType::Bool => "Bool",
        DType::I32 => "I32",
        DType::I64 => "I64",
        DType::U32 => "U32",
        DType::U64 => "U64",
        DType::F32 => "F32",
        _ => "F64",
    };
    format_ident!("{name}")
}
