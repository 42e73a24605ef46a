//! Each mistake in an attribute is a compile error at the token that made it: one file a mistake,
//! its message beside it. `TRYBUILD=overwrite` writes the messages anew.

#[test]
fn every_mistake_is_a_compile_error_at_its_token() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
