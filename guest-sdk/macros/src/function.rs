//! A function as far as a kernel's has to be understood: its head. The body stays tokens, so that no parser of expressions
//! is compiled into every author's build.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Abi, Attribute, Generics, Ident, Result, ReturnType, Token, Type, Visibility, token};

/// A function item.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) constness: Option<Token![const]>,
    pub(crate) asyncness: Option<Token![async]>,
    pub(crate) unsafety: Option<Token![unsafe]>,
    pub(crate) abi: Option<Abi>,
    fn_token: Token![fn],
    pub(crate) name: Ident,
    pub(crate) generics: Generics,
    paren_token: token::Paren,
    pub(crate) inputs: Punctuated<Input, Token![,]>,
    pub(crate) output: ReturnType,
    body: TokenStream,
}

/// One parameter.
pub(crate) struct Input {
    attrs: Vec<Attribute>,
    /// All before the type: a name in a kernel's function.
    pub(crate) pattern: TokenStream,
    /// None for `self` without a type.
    pub(crate) ty: Option<(Token![:], Type)>,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let content;
        let mut function = Self {
            attrs: input.call(Attribute::parse_outer)?,
            vis: input.parse()?,
            constness: input.parse()?,
            asyncness: input.parse()?,
            unsafety: input.parse()?,
            abi: input.parse()?,
            fn_token: input.parse()?,
            name: input.parse()?,
            generics: input.parse()?,
            paren_token: syn::parenthesized!(content in input),
            inputs: content.parse_terminated(Input::parse, Token![,])?,
            output: input.parse()?,
            body: TokenStream::new(),
        };
        function.generics.where_clause = input.parse()?;
        if !input.peek(token::Brace) {
            return Err(input.error("expected a function's body"));
        }
        function.body = input.parse()?;
        Ok(function)
    }
}

impl Parse for Input {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let mut pattern = TokenStream::new();
        // A pattern's own colons are inside its brackets, or come twice.
        while !input.is_empty() && !input.peek(Token![,]) {
            if input.peek(Token![::]) {
                input.parse::<Token![::]>()?.to_tokens(&mut pattern);
            } else if input.peek(Token![:]) {
                break;
            } else {
                input
                    .parse::<proc_macro2::TokenTree>()?
                    .to_tokens(&mut pattern);
            }
        }
        let ty = match input.parse::<Option<Token![:]>>()? {
            Some(colon) => Some((colon, input.parse()?)),
            None => None,
        };
        Ok(Self { attrs, pattern, ty })
    }
}

impl Input {
    /// The name, if the pattern is one, `mut` or not.
    pub(crate) fn name(&self) -> Option<Ident> {
        let parse = |input: ParseStream<'_>| {
            input.parse::<Option<Token![mut]>>()?;
            input.parse::<Ident>()
        };
        syn::parse::Parser::parse2(parse, self.pattern.clone()).ok()
    }

    /// Whether it is `self` in any form.
    pub(crate) fn is_self(&self) -> bool {
        let mut tokens = self.pattern.clone().into_iter();
        tokens.any(|token| matches!(&token, proc_macro2::TokenTree::Ident(name) if name == "self"))
    }
}

impl ToTokens for Input {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let (attrs, pattern) = (&self.attrs, &self.pattern);
        let ty = self.ty.as_ref().map(|(colon, ty)| quote!(#colon #ty));
        tokens.extend(quote!(#(#attrs)* #pattern #ty));
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self {
            attrs,
            vis,
            constness,
            asyncness,
            unsafety,
            abi,
            fn_token,
            name,
            generics,
            inputs,
            output,
            body,
            ..
        } = self;
        let where_clause = &generics.where_clause;
        tokens.extend(quote! {
            #(#attrs)* #vis #constness #asyncness #unsafety #abi #fn_token #name #generics
        });
        self.paren_token
            .surround(tokens, |tokens| inputs.to_tokens(tokens));
        tokens.extend(quote!(#output #where_clause #body));
    }
}
