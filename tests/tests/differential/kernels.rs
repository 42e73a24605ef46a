//! The kernels of the repository, at their listed sizes.

use super::Pair;
use hotcell::limit::Limits;
use hotcell::outcome::OutcomeKind;
use hotcell::{Array, Component, Request};
use hotcell_cases::{Arguments, Case, component, kernels};
use hotcell_tests::skip;

fn request(arguments: &Arguments) -> Request {
    let mut request = Request::new().entry(arguments.kernel.name());
    for (name, extent) in &arguments.dims {
        request = request.dim(name.clone(), *extent);
    }
    for (name, value) in &arguments.scalars {
        request = request.scalar(name.clone(), *value);
    }
    for input in arguments.inputs() {
        let bytes = input.data.bytes().to_vec();
        let array = Array::new(input.ty.clone(), bytes).expect("the case's own bytes");
        request = request.input(input.name.clone(), array);
    }
    request
}

#[test]
fn every_kernel_ends_alike_in_both_isolations() {
    let pair = Pair::new();
    for kernel in kernels().expect("the folder of the kernels") {
        let Ok(built) = Component::read(component(&kernel)) else {
            skip("target/kernels is not there: `cargo xtask kernels` builds it");
            return;
        };
        let limits = Limits::defaults(Default::default());
        let described = pair.in_process.cell.describe(&built, &limits);
        let described = described.expect("a kernel of the repository");
        let case = Case::load(&kernel).expect("cases").remove(0);
        let entry = described.manifest.kernel(&case.entry).expect("the entry");
        let arguments = case.arguments(&kernel, entry).expect("the case");
        let ended = pair.run(&kernel, &built, || request(&arguments));
        assert_eq!(ended.outcome.kind, OutcomeKind::Done, "{:?}", ended.outcome);
    }
}
