//! From Fortran order to C order, while the data streams in.
//!
//! A Fortran-order array is read front to back in slabs: whole planes of the last axis, or parts of one plane
//! where a plane is larger than a slab. Each slab is scattered in square tiles, so that neither the reads nor
//! the writes of a tile leave the cache. The workspace beside the result is one slab.

/// The workspace: a multiple of every element size.
pub(crate) const SLAB_BYTES: usize = 16 << 20;

const TILE: usize = 64;

/// Where the next elements of a Fortran-order stream belong.
pub(crate) struct Scatter {
    /// Extents of all axes but the last.
    plane_shape: Vec<usize>,
    /// The C-order stride of each of them, in elements.
    strides: Vec<usize>,
    /// Elements of one plane.
    plane: usize,
    /// Extent of the last axis.
    last: usize,
}

/// One contiguous piece of the stream: `planes` planes, `len` elements of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slab {
    first_plane: usize,
    planes: usize,
    start: usize,
    len: usize,
}

impl Slab {
    /// Elements in the piece.
    pub(crate) fn elements(&self) -> usize {
        self.planes * self.len
    }
}

impl Scatter {
    /// Plans for a shape with at least one axis and one element, whose element count fits `usize`.
    pub(crate) fn new(shape: &[usize]) -> Self {
        let (&last, plane_shape) = shape.split_last().unwrap_or((&1, &[]));
        let mut strides = vec![last; plane_shape.len()];
        for axis in (1..plane_shape.len()).rev() {
            strides[axis - 1] = strides[axis] * plane_shape[axis];
        }
        Self {
            plane: plane_shape.iter().product(),
            plane_shape: plane_shape.to_vec(),
            strides,
            last,
        }
    }

    /// The pieces in stream order, none above `slab_elements`.
    pub(crate) fn slabs(&self, slab_elements: usize) -> Vec<Slab> {
        let planes_each = (slab_elements / self.plane).max(1);
        let len_each = self.plane.min(slab_elements.max(1));
        let mut slabs = Vec::new();
        for first_plane in (0..self.last).step_by(planes_each) {
            for start in (0..self.plane).step_by(len_each) {
                slabs.push(Slab {
                    first_plane,
                    planes: planes_each.min(self.last - first_plane),
                    start,
                    len: len_each.min(self.plane - start),
                });
            }
        }
        slabs
    }

    /// Writes one slab's elements, of `N` bytes each, to their places in `target`.
    pub(crate) fn scatter<const N: usize>(
        &self,
        slab: Slab,
        source: &[[u8; N]],
        target: &mut [[u8; N]],
    ) {
        let mut index = self.index_at(slab.start);
        let mut bases = [0; TILE];
        for tile_start in (0..slab.len).step_by(TILE) {
            let tile = TILE.min(slab.len - tile_start);
            for base in &mut bases[..tile] {
                *base = self.advance(&mut index) + slab.first_plane;
            }
            for plane_start in (0..slab.planes).step_by(TILE) {
                let planes = TILE.min(slab.planes - plane_start);
                for (step, base) in bases[..tile].iter().enumerate() {
                    let run = &mut target[base + plane_start..][..planes];
                    let column = source[plane_start * slab.len + tile_start + step..].iter();
                    for (element, value) in run.iter_mut().zip(column.step_by(slab.len)) {
                        *element = *value;
                    }
                }
            }
        }
    }

    /// The index, first axis fastest, of a position in a plane.
    fn index_at(&self, mut position: usize) -> Vec<usize> {
        let digit = |extent: &usize| {
            let digit = position % extent;
            position /= extent;
            digit
        };
        self.plane_shape.iter().map(digit).collect()
    }

    /// The C-order offset of the index, which moves on by one, first axis fastest.
    fn advance(&self, index: &mut [usize]) -> usize {
        let terms = index.iter().zip(&self.strides);
        let offset = terms.map(|(position, stride)| position * stride).sum();
        for (position, extent) in index.iter_mut().zip(&self.plane_shape) {
            *position += 1;
            if *position < *extent {
                break;
            }
            *position = 0;
        }
        offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, element by element.
    fn reference(shape: &[usize]) -> Vec<[u8; 4]> {
        let count: usize = shape.iter().product();
        let mut target = vec![[0; 4]; count];
        for position in 0..count {
            let (mut rest, mut offset) = (position, 0);
            for (axis, extent) in shape.iter().enumerate() {
                let stride: usize = shape[axis + 1..].iter().product();
                offset += (rest % extent) * stride;
                rest /= extent;
            }
            target[offset] = u32::try_from(position).unwrap().to_le_bytes();
        }
        target
    }

    #[test]
    fn scattering_agrees_with_the_definition_for_every_slab_size() {
        let shapes: [&[usize]; 7] = [
            &[7],
            &[1, 5],
            &[130, 70],
            &[3, 200],
            &[200, 3],
            &[5, 6, 7],
            &[2, 3, 1, 4, 5],
        ];
        for shape in shapes {
            let count: usize = shape.iter().product();
            let stream: Vec<[u8; 4]> = (0..u32::try_from(count).unwrap())
                .map(u32::to_le_bytes)
                .collect();
            for slab_elements in [1, 2, 7, 100, count, 10 * count] {
                let plan = Scatter::new(shape);
                let (mut target, mut at) = (vec![[0; 4]; count], 0);
                for slab in plan.slabs(slab_elements) {
                    assert!(slab.elements() <= slab_elements);
                    plan.scatter(slab, &stream[at..][..slab.elements()], &mut target);
                    at += slab.elements();
                }
                assert_eq!(at, count);
                assert_eq!(target, reference(shape), "{shape:?} by {slab_elements}");
            }
        }
    }
}
