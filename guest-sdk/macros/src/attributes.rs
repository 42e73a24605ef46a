//! The keys of `#[kernel(…)]`, read but not yet compared with the function.

use proc_macro2::Span;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Ident, Lit, LitStr, Result, Token};

/// What stands in the attribute.
pub(crate) struct Attributes {
    /// The signature; always there.
    pub(crate) sig: LitStr,
    pub(crate) split: Option<LitStr>,
    pub(crate) cost: Option<LitStr>,
    pub(crate) weight: Option<LitStr>,
    pub(crate) fuel: Option<LitStr>,
    pub(crate) timeout: Option<LitStr>,
    pub(crate) memory: Option<LitStr>,
    pub(crate) inout: Option<LitStr>,
    pub(crate) wants: Option<LitStr>,
    pub(crate) defaults: Vec<NamedValue>,
    pub(crate) halos: Vec<NamedValue>,
}

/// `name = literal` inside `default(…)` or `halo(…)`.
pub(crate) struct NamedValue {
    pub(crate) name: Ident,
    pub(crate) negative: bool,
    pub(crate) value: Lit,
}

const KEYS: &str = "`sig`, `split`, `halo(…)`, `cost`, `weight`, `fuel`, `timeout`, `memory`, \
     `inout`, `wants` or `default(…)`";

impl Parse for Attributes {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut sig = None;
        let mut rest = Self::empty();
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            if key == "default" {
                parse_values(input, &mut rest.defaults, "defaults")?;
            } else if key == "halo" {
                parse_values(input, &mut rest.halos, "halos")?;
            } else {
                let slot = if key == "sig" {
                    &mut sig
                } else {
                    rest.slot(&key)?
                };
                input.parse::<Token![=]>()?;
                if slot.replace(input.parse()?).is_some() {
                    return Err(Error::new(key.span(), format!("`{key}` is given twice")));
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        let missing = || {
            let example = "a kernel needs its shapes, such as `sig = \"(m,k),(k,n)->(m,n)\"`";
            Error::new(Span::call_site(), example)
        };
        rest.sig = sig.ok_or_else(missing)?;
        Ok(rest)
    }
}

impl Attributes {
    fn empty() -> Self {
        Self {
            sig: LitStr::new("", Span::call_site()),
            split: None,
            cost: None,
            weight: None,
            fuel: None,
            timeout: None,
            memory: None,
            inout: None,
            wants: None,
            defaults: Vec::new(),
            halos: Vec::new(),
        }
    }

    fn slot(&mut self, key: &Ident) -> Result<&mut Option<LitStr>> {
        Ok(match key.to_string().as_str() {
            "split" => &mut self.split,
            "cost" => &mut self.cost,
            "weight" => &mut self.weight,
            "fuel" => &mut self.fuel,
            "timeout" => &mut self.timeout,
            "memory" => &mut self.memory,
            "inout" => &mut self.inout,
            "wants" => &mut self.wants,
            _ => {
                let message = format!("unknown key `{key}`, expected {KEYS}");
                return Err(Error::new(key.span(), message));
            }
        })
    }
}

/// Reads `(name = literal, …)`, each name once.
fn parse_values(input: ParseStream<'_>, values: &mut Vec<NamedValue>, what: &str) -> Result<()> {
    let content;
    syn::parenthesized!(content in input);
    for value in content.parse_terminated(NamedValue::parse, Token![,])? {
        if values.iter().any(|other| other.name == value.name) {
            let message = format!("`{}` has two {what}", value.name);
            return Err(Error::new(value.name.span(), message));
        }
        values.push(value);
    }
    Ok(())
}

impl Parse for NamedValue {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name = input.parse()?;
        input.parse::<Token![=]>()?;
        Ok(Self {
            name,
            negative: input.parse::<Option<Token![-]>>()?.is_some(),
            value: input.parse()?,
        })
    }
}
