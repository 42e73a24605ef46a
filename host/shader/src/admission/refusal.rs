//! Why a shader is not admitted, and where in the author's text.

use hotcell_model::gpu::GpuError;
use hotcell_model::limit::Limit;
use std::fmt::{self, Display, Formatter};

/// A shader that is not admitted.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}", Placed(self))]
pub struct ShaderRefusal {
    /// Line in the author's text, from 1; 0 where there is no place to name.
    pub line: u32,
    /// Column in characters, from 1; 0 where there is no place to name.
    pub column: u32,
    /// Why.
    pub reason: RefusalReason,
}

/// Why a shader is not admitted.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusalReason {
    /// It is larger than a limit of the launch allows.
    #[error("limit {limit}: {} requested, at most {} allowed", limit.unit().format(*requested), limit.unit().format(*maximum))]
    #[expect(missing_docs, reason = "the names say it")]
    Limit {
        limit: Limit,
        requested: u64,
        maximum: u64,
    },
    /// It is larger than any shader may be, whatever the launch's limits.
    #[error("{counted} {what}, at most {maximum} allowed")]
    TooMany {
        /// Things of what kind, in the plural.
        what: &'static str,
        /// How many there are, or how many had been counted when the shader was given up.
        counted: u64,
        /// How many may be.
        maximum: u64,
    },
    /// It is not WGSL, or is not valid; in the words of the validator.
    #[error("{0}")]
    Invalid(String),
    /// It uses what kernels are not offered.
    #[error("{0} is not offered to kernels")]
    NotOffered(String),
    /// No entry point has that name.
    #[error("no entry point is named `{0}`")]
    NoEntryPoint(String),
    /// The entry point is not a compute shader.
    #[error("entry point `{0}` is not a compute shader")]
    NotCompute(String),
    /// A value was given for an `override` that the entry point's module does not have.
    #[error("no override constant is named `{0}`")]
    UnknownConstant(String),
    /// A value was given twice for one `override`.
    #[error("override constant `{0}` is given twice")]
    ConstantGivenTwice(String),
    /// An `override` has neither a value nor a default.
    #[error("override constant `{0}` has no value")]
    MissingConstant(String),
    /// The value of an `override` is not one of its type.
    #[error("override constant `{name}` cannot be {value}")]
    #[expect(missing_docs, reason = "the names say it")]
    ConstantValue { name: String, value: f64 },
    /// Two pointers to one variable are given to a function that writes through one of them.
    #[error("two arguments of `{0}` point into the same variable")]
    AliasedPointers(String),
    /// A function is given a pointer to an element, a member or a column of a variable.
    #[error(
        "`{0}` is given a pointer to a part of a variable, which is not offered to kernels: give it one to the whole \
         variable, or copy the part to a variable of its own, and back afterwards"
    )]
    PointerToPart(String),
    /// A function is given a pointer that is not of its parameter's type.
    #[error(
        "`{0}` is given a pointer of another type than its parameter's: type, address space and access must be the same"
    )]
    PointerType(String),
    /// A function with a result may come to its end without returning one.
    #[error(
        "`{0}` may come to its end without returning a value: let it end in `return`, or in a `loop` without `break`"
    )]
    MissingReturn(String),
    /// A directive after something other than a directive.
    #[error("`{0}` stands before all declarations: move it to the beginning of the text")]
    LateDirective(&'static str),
    /// An operation that all invocations of a workgroup must meet may be met by some of them only.
    #[error("{} must only be reached by all invocations of a workgroup together", Operation { name: operation, within })]
    NonUniform {
        /// The operation, as the author writes it.
        operation: &'static str,
        /// The function that it stands in, where the place is that of a call that leads to it.
        within: Option<String>,
    },
    /// `workgroupUniformLoad` at an address that may differ between the invocations of a workgroup.
    #[error("the argument of {} must be the same in all invocations of a workgroup", Operation { name: "workgroupUniformLoad", within })]
    NonUniformPointer {
        /// The function that the load stands in, where the place is that of a call that leads to it.
        within: Option<String>,
    },
    /// `continuing` uses a value that a `continue` before its declaration leaves unmade.
    #[error("`continuing` uses a value that a `continue` in front of its declaration skips")]
    SkippedByContinue,
    /// A `const_assert` of what is no constant `bool`.
    #[error("`const_assert` wants one `bool` that is known from constants alone")]
    NotAsserted,
    /// The front end failed on it.
    #[error("the shader cannot be compiled: the front end failed on it")]
    FrontEnd,
    /// The back end failed on it.
    #[error("the shader cannot be compiled: the back end failed on it")]
    BackEnd,
}

impl ShaderRefusal {
    /// A refusal of the shader as a whole.
    pub fn of_shader(reason: RefusalReason) -> Self {
        Self {
            line: 0,
            column: 0,
            reason,
        }
    }
}

impl From<ShaderRefusal> for GpuError {
    fn from(refusal: ShaderRefusal) -> Self {
        match refusal.reason {
            RefusalReason::Limit {
                limit,
                requested,
                maximum,
            } => Self::Limit {
                limit,
                requested,
                maximum,
            },
            reason => Self::Shader {
                line: refusal.line,
                column: refusal.column,
                message: reason.to_string(),
            },
        }
    }
}

struct Placed<'a>(&'a ShaderRefusal);

impl Display for Placed<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.line > 0 {
            write!(f, "{}:{}: ", self.0.line, self.0.column)?;
        }
        self.0.reason.fmt(f)
    }
}

struct Operation<'a> {
    name: &'a str,
    within: &'a Option<String>,
}

impl Display for Operation<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.name)?;
        match self.within {
            Some(function) => write!(f, " in `{function}`, to which this call leads,"),
            None => Ok(()),
        }
    }
}
