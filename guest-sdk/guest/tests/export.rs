//! Kernels in modules, exported by their paths: private functions, nested trees, kernels that `use` brought
//! along besides.

use hotcell_guest::native::Launch;

mod filters {
    use hotcell_guest::prelude::*;

    pub(crate) mod edges {
        use hotcell_guest::prelude::*;

        /// Private, as a function of the module.
        #[kernel(sig = "(n)->(n)")]
        fn negated(x: &[i32], out: &mut [i32]) {
            for (out, x) in out.iter_mut().zip(x) {
                *out = -x;
            }
        }
    }

    #[kernel(sig = "(n)->(n)")]
    pub(crate) fn doubled(x: &[i32], out: &mut [i32]) {
        for (out, x) in out.iter_mut().zip(x) {
            *out = 2 * x;
        }
    }

    #[kernel(sig = "(n)->(n)")]
    pub(super) fn copied(x: &[i32], out: &mut [i32]) {
        out.copy_from_slice(x);
    }
}

use filters::doubled;

hotcell_guest::export!(crate::filters::{doubled, edges::{negated}}, filters::copied);

#[test]
fn every_path_of_a_tree_is_an_entry() {
    let names: Vec<_> = HOTCELL_ENTRIES.iter().map(|entry| entry.name()).collect();
    assert_eq!(names, ["doubled", "negated", "copied"]);
    let x = vec![1, -3];
    for (name, wanted) in [
        ("doubled", [2, -6]),
        ("negated", [-1, 3]),
        ("copied", [1, -3]),
    ] {
        let mut out = vec![0; 2];
        let launch = Launch::new(HOTCELL_ENTRIES, name).dim(2);
        launch.input(&x).output(&mut out).run().unwrap();
        assert_eq!(out, wanted);
    }
    let mut out = [0; 2];
    doubled(&x, &mut out);
    assert_eq!(out, [2, -6]);
}
