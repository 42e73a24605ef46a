//! The README's program: one kernel, run once.

use hotcell::{Array, Cell, Component, Request};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, workers, kernel] = &arguments[..] else {
        return Err("two arguments: the workers' directory, a kernel".into());
    };
    let cell = Cell::confined().workers(workers).build()?;
    let affine = Component::read(kernel)?;
    let request = Request::new()
        .scalar("factor", 2.5f32)
        .input("x", Array::from_slice(&[1.0f32, 2.0, 3.0], [3])?);

    let ended = cell.run(&affine, request);
    println!("{}: {}", ended.outcome.kind, ended.outcome.message);
    if let Some(out) = ended.array("out") {
        println!("{:?}", out.to_vec::<f32>()?);
    }
    Ok(())
}
