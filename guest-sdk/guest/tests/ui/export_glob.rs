mod filters {}

hotcell_guest::export!(filters::*);

fn main() {}
