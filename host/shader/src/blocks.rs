//! The blocks of naga's IR.

use naga::{Block, Statement};

/// The blocks right inside a statement, in the order of the text.
pub(crate) fn blocks_in(statement: &Statement) -> impl Iterator<Item = &Block> {
    let (pair, cases): ([Option<&Block>; 2], &[naga::SwitchCase]) = match statement {
        Statement::Block(block) => ([Some(block), None], &[]),
        Statement::If { accept, reject, .. } => ([Some(accept), Some(reject)], &[]),
        Statement::Loop {
            body, continuing, ..
        } => ([Some(body), Some(continuing)], &[]),
        Statement::Switch { cases, .. } => ([None, None], cases),
        _ => ([None, None], &[]),
    };
    pair.into_iter()
        .flatten()
        .chain(cases.iter().map(|case| &case.body))
}
