//! A case with everything made that a launch needs.

use crate::buffer::Buffer;
use crate::case::Case;
use crate::fill::fill;
use anyhow::{Context, Result, bail, ensure};
use hotcell_model::array::ArrayType;
use hotcell_model::manifest::{ArrayParameter, Dim, Kernel, Role, ScalarParameter, ScalarValue};

/// Everything that one launch of a case is given, in the manifest's order.
#[derive(Clone, Debug)]
pub struct Arguments {
    /// The entry.
    pub kernel: Kernel,
    /// Every named dimension.
    pub dims: Vec<(String, u64)>,
    /// Every scalar, defaults included.
    pub scalars: Vec<(String, ScalarValue)>,
    /// Every array.
    pub arrays: Vec<Argument>,
}

/// One array of a launch.
#[derive(Clone, Debug)]
pub struct Argument {
    /// The parameter.
    pub name: String,
    /// Which way its data goes.
    pub role: Role,
    /// Its type.
    pub ty: ArrayType,
    /// Its content: zeros where it is only written.
    pub data: Buffer,
}

impl Case {
    /// Makes the case's arguments for the entry as its manifest describes it.
    ///
    /// # Errors
    /// If the case does not fit the entry.
    pub fn arguments(&self, crate_name: &str, kernel: &Kernel) -> Result<Arguments> {
        ensure!(
            kernel.name() == self.entry,
            "`{}` is another entry",
            kernel.name()
        );
        let dims = kernel.dims().iter().map(|name| {
            let extent = self
                .dims
                .get(name)
                .with_context(|| format!("dimension `{name}`"))?;
            Ok((name.clone(), *extent))
        });
        let dims = dims.collect::<Result<Vec<_>>>()?;
        let scalars = kernel.scalars().iter().map(|scalar| self.scalar(scalar));
        let scalars = scalars.collect::<Result<Vec<_>>>()?;
        let arrays = kernel.arrays().iter();
        let arrays = arrays.map(|array| self.argument(crate_name, array, &dims));
        let arrays = arrays.collect::<Result<Vec<_>>>()?;
        self.check_names(&dims, &scalars, &arrays)?;
        Ok(Arguments {
            kernel: kernel.clone(),
            dims,
            scalars,
            arrays,
        })
    }

    fn scalar(&self, scalar: &ScalarParameter) -> Result<(String, ScalarValue)> {
        let name = &scalar.name;
        let value = match self.scalars.get(name) {
            None => scalar.default.with_context(|| format!("scalar `{name}`"))?,
            Some(value) => ScalarValue::parse(scalar.dtype, &value.to_string())
                .with_context(|| format!("scalar `{name}` = {value} is no {}", scalar.dtype))?,
        };
        Ok((name.clone(), value))
    }

    fn argument(
        &self,
        crate_name: &str,
        array: &ArrayParameter,
        dims: &[(String, u64)],
    ) -> Result<Argument> {
        let name = &array.name;
        let extent = |dim: &Dim| match dim {
            Dim::Fixed(extent) => *extent,
            Dim::Name(name) => {
                let known = dims.iter().find(|(known, _)| known == name);
                known.map_or(0, |(_, extent)| *extent)
            }
        };
        let shape: Vec<u64> = array.dims.iter().map(extent).collect();
        let ty = ArrayType::new(array.dtype, shape)?;
        let input = self.inputs.iter().find(|input| input.name == *name);
        let data = match (array.role.is_read(), input) {
            (true, Some(input)) => {
                let bytes = fill(input.fill, &ty, &format!("{crate_name}/{name}"))?;
                Buffer::from(bytes.as_slice())
            }
            (false, None) => Buffer::zeroed(usize::try_from(ty.size_bytes())?),
            (true, None) => bail!("case `{}` does not fill `{name}`", self.name),
            (false, Some(_)) => bail!("case `{}` fills the output `{name}`", self.name),
        };
        Ok(Argument {
            name: name.clone(),
            role: array.role,
            ty,
            data,
        })
    }

    /// Every name in the case is one of the entry's.
    fn check_names(
        &self,
        dims: &[(String, u64)],
        scalars: &[(String, ScalarValue)],
        arrays: &[Argument],
    ) -> Result<()> {
        let case = &self.name;
        for name in self.dims.keys() {
            let is_known = dims.iter().any(|(known, _)| known == name);
            ensure!(is_known, "case `{case}`: there is no dimension `{name}`");
        }
        for name in self.scalars.keys() {
            let is_known = scalars.iter().any(|(known, _)| known == name);
            ensure!(is_known, "case `{case}`: there is no scalar `{name}`");
        }
        let read = self.inputs.iter().map(|input| &input.name);
        for name in read.chain(self.checks.iter().map(|check| &check.output)) {
            let is_known = arrays.iter().any(|array| array.name == *name);
            ensure!(is_known, "case `{case}`: there is no array `{name}`");
        }
        Ok(())
    }
}

impl Arguments {
    /// The arrays that the kernel reads.
    pub fn inputs(&self) -> impl Iterator<Item = &Argument> {
        self.arrays.iter().filter(|array| array.role.is_read())
    }

    /// The arrays that the kernel writes.
    pub fn outputs(&self) -> impl Iterator<Item = &Argument> {
        self.arrays.iter().filter(|array| array.role.is_written())
    }

    /// The array of that name.
    pub fn array(&self, name: &str) -> Option<&Argument> {
        self.arrays.iter().find(|array| array.name == name)
    }
}
