//! Components of objects: what importers build with.

use hotcell_build::{ManifestSource, check, componentize};
use hotcell_manifest::{ComponentRecord, KernelRecord, Manifest, Record};
use hotcell_model::text::chain;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// A component of a relocatable object, and of the manifest's records as JSON: the component's, then the kernels'.
#[pyfunction]
pub(crate) fn component_of_object<'py>(
    py: Python<'py>,
    object: Vec<u8>,
    records: &str,
) -> PyResult<Bound<'py, PyBytes>> {
    let made = py.detach(|| -> Result<Vec<u8>, String> {
        let manifest = manifest(records)?;
        let made = componentize(&object, ManifestSource::Given(&manifest));
        let made = made.map_err(|error| chain(&error))?;
        check(&made).map_err(|error| chain(&error))?;
        Ok(made)
    });
    made.map(|made| PyBytes::new(py, &made))
        .map_err(PyValueError::new_err)
}

fn manifest(records: &str) -> Result<Manifest, String> {
    let values: Vec<serde_json::Value> =
        serde_json::from_str(records).map_err(|error| chain(&error))?;
    let record = |value: serde_json::Value| {
        // A component has no signature.
        match value.get("signature").is_some() {
            true => serde_json::from_value::<KernelRecord>(value).map(Record::from),
            false => serde_json::from_value::<ComponentRecord>(value).map(Record::from),
        }
    };
    let records: Result<Vec<Record>, _> = values.into_iter().map(record).collect();
    let records = records.map_err(|error| chain(&error))?;
    Manifest::from_records(records).map_err(|error| chain(&error))
}
