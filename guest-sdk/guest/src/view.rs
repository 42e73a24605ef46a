//! Arrays with a shape: a slice in C order and the extents of its axes.
//!
//! Indexing with `v[[i, j]]` checks every axis. In an inner loop take a row instead, which is a
//! plain slice: `v.row(i)`.

use std::ops::{Index, IndexMut};

/// An input of rank `R`. Shared, so it is `Copy`.
#[derive(Clone, Copy, Debug)]
pub struct View<'a, T, const R: usize> {
    elements: &'a [T],
    shape: [usize; R],
}

/// An output of rank `R`.
#[derive(Debug)]
pub struct ViewMut<'a, T, const R: usize> {
    elements: &'a mut [T],
    shape: [usize; R],
}

/// An input of rank 1.
pub type View1<'a, T> = View<'a, T, 1>;
/// An input of rank 2.
pub type View2<'a, T> = View<'a, T, 2>;
/// An input of rank 3.
pub type View3<'a, T> = View<'a, T, 3>;
/// An input of rank 4.
pub type View4<'a, T> = View<'a, T, 4>;
/// An output of rank 1.
pub type ViewMut1<'a, T> = ViewMut<'a, T, 1>;
/// An output of rank 2.
pub type ViewMut2<'a, T> = ViewMut<'a, T, 2>;
/// An output of rank 3.
pub type ViewMut3<'a, T> = ViewMut<'a, T, 3>;
/// An output of rank 4.
pub type ViewMut4<'a, T> = ViewMut<'a, T, 4>;

impl<'a, T, const R: usize> View<'a, T, R> {
    /// Gives `elements`, in C order, a shape.
    ///
    /// # Panics
    /// If the shape does not have exactly as many elements.
    #[track_caller]
    pub fn new(elements: &'a [T], shape: [usize; R]) -> Self {
        check_shape(elements.len(), shape);
        Self { elements, shape }
    }

    /// As [`new`](Self::new) for a shape known to fit.
    #[inline(always)]
    pub(crate) fn from_parts(elements: &'a [T], shape: [usize; R]) -> Self {
        debug_assert_eq!(elements.len(), shape.iter().product::<usize>());
        Self { elements, shape }
    }

    /// The extent of each axis, outermost first.
    #[inline]
    pub fn shape(&self) -> [usize; R] {
        self.shape
    }

    /// All elements in C order.
    #[inline]
    pub fn as_slice(&self) -> &'a [T] {
        self.elements
    }
}

impl<'a, T, const R: usize> ViewMut<'a, T, R> {
    /// Gives `elements`, in C order, a shape.
    ///
    /// # Panics
    /// If the shape does not have exactly as many elements.
    #[track_caller]
    pub fn new(elements: &'a mut [T], shape: [usize; R]) -> Self {
        check_shape(elements.len(), shape);
        Self { elements, shape }
    }

    /// As [`new`](Self::new) for a shape known to fit.
    #[inline(always)]
    pub(crate) fn from_parts(elements: &'a mut [T], shape: [usize; R]) -> Self {
        debug_assert_eq!(elements.len(), shape.iter().product::<usize>());
        Self { elements, shape }
    }

    /// The extent of each axis, outermost first.
    #[inline]
    pub fn shape(&self) -> [usize; R] {
        self.shape
    }

    /// All elements in C order.
    #[inline]
    pub fn as_slice(&self) -> &[T] {
        self.elements
    }

    /// All elements in C order, to be changed.
    #[inline]
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        self.elements
    }

    /// The same array to read.
    #[inline]
    pub fn view(&self) -> View<'_, T, R> {
        View::from_parts(self.elements, self.shape)
    }

    /// The slice itself, for as long as the array lives.
    #[inline]
    pub fn into_slice(self) -> &'a mut [T] {
        self.elements
    }
}

#[track_caller]
fn check_shape<const R: usize>(len: usize, shape: [usize; R]) {
    let product = shape
        .iter()
        .try_fold(1_usize, |product, &extent| product.checked_mul(extent));
    assert!(
        product == Some(len),
        "{len} elements cannot have the shape {shape:?}"
    );
}

/// The position of `index` in C order; it lies inside the array.
#[inline]
#[track_caller]
fn offset<const R: usize>(index: [usize; R], shape: [usize; R]) -> usize {
    let mut offset = 0;
    for axis in 0..R {
        if index[axis] >= shape[axis] {
            out_of_bounds(&index, &shape);
        }
        offset = offset * shape[axis] + index[axis];
    }
    offset
}

#[cold]
#[inline(never)]
#[track_caller]
fn out_of_bounds(index: &[usize], shape: &[usize]) -> ! {
    panic!("index {index:?} is out of bounds for the shape {shape:?}")
}

impl<T, const R: usize> Index<[usize; R]> for View<'_, T, R> {
    type Output = T;

    #[inline]
    #[track_caller]
    fn index(&self, index: [usize; R]) -> &T {
        &self.elements[offset(index, self.shape)]
    }
}

impl<T, const R: usize> Index<[usize; R]> for ViewMut<'_, T, R> {
    type Output = T;

    #[inline]
    #[track_caller]
    fn index(&self, index: [usize; R]) -> &T {
        &self.elements[offset(index, self.shape)]
    }
}

impl<T, const R: usize> IndexMut<[usize; R]> for ViewMut<'_, T, R> {
    #[inline]
    #[track_caller]
    fn index_mut(&mut self, index: [usize; R]) -> &mut T {
        &mut self.elements[offset(index, self.shape)]
    }
}

/// Where the sub-array at `leading` indices starts and how long it is.
#[inline]
#[track_caller]
fn part<const R: usize>(shape: [usize; R], leading: &[usize]) -> std::ops::Range<usize> {
    let (outer, inner) = shape.split_at(leading.len());
    let mut at = 0;
    for (&index, &extent) in leading.iter().zip(outer) {
        if index >= extent {
            out_of_bounds(leading, outer);
        }
        at = at * extent + index;
    }
    let len: usize = inner.iter().product();
    at * len..(at + 1) * len
}

/// `row` for one rank: all indices but the last give a slice along the last axis.
macro_rules! rows {
    ($rank:literal: $($index:ident),+) => {
        impl<'a, T> View<'a, T, $rank> {
            /// The elements along the last axis at these leading indices.
            ///
            /// # Panics
            /// If an index is out of bounds.
            #[inline]
            #[track_caller]
            pub fn row(&self, $($index: usize),+) -> &'a [T] {
                &self.elements[part(self.shape, &[$($index),+])]
            }
        }

        impl<T> ViewMut<'_, T, $rank> {
            /// The elements along the last axis at these leading indices.
            ///
            /// # Panics
            /// If an index is out of bounds.
            #[inline]
            #[track_caller]
            pub fn row(&self, $($index: usize),+) -> &[T] {
                &self.elements[part(self.shape, &[$($index),+])]
            }

            /// The elements along the last axis at these leading indices, to be changed.
            ///
            /// # Panics
            /// If an index is out of bounds.
            #[inline]
            #[track_caller]
            pub fn row_mut(&mut self, $($index: usize),+) -> &mut [T] {
                let range = part(self.shape, &[$($index),+]);
                &mut self.elements[range]
            }
        }
    };
}

rows!(2: i);
rows!(3: i, j);
rows!(4: i, j, k);

/// `plane` for one rank: the sub-array at the first index.
macro_rules! planes {
    ($rank:literal: $inner:literal, [$($axis:literal),+]) => {
        impl<'a, T> View<'a, T, $rank> {
            /// The sub-array at the first axis' index `i`.
            ///
            /// # Panics
            /// If `i` is out of bounds.
            #[inline]
            #[track_caller]
            pub fn plane(&self, i: usize) -> View<'a, T, $inner> {
                let elements = &self.elements[part(self.shape, &[i])];
                View::from_parts(elements, [$(self.shape[$axis]),+])
            }
        }

        impl<T> ViewMut<'_, T, $rank> {
            /// The sub-array at the first axis' index `i`, to be changed.
            ///
            /// # Panics
            /// If `i` is out of bounds.
            #[inline]
            #[track_caller]
            pub fn plane_mut(&mut self, i: usize) -> ViewMut<'_, T, $inner> {
                let range = part(self.shape, &[i]);
                ViewMut::from_parts(&mut self.elements[range], [$(self.shape[$axis]),+])
            }
        }
    };
}

planes!(3: 2, [1, 2]);
planes!(4: 3, [1, 2, 3]);

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(len: u32) -> Vec<u32> {
        (0..len).collect()
    }

    #[test]
    fn indices_are_in_c_order() {
        let data = counted(120);
        let v4 = View4::new(&data, [2, 3, 4, 5]);
        assert_eq!(v4[[1, 2, 3, 4]], 119);
        assert_eq!(v4[[1, 0, 2, 3]], 73);
        assert_eq!(v4.row(1, 0, 2), &data[70..75]);
        assert_eq!(v4.plane(1).plane(0)[[2, 3]], 73);
        assert_eq!(View1::new(&data, [120])[[7]], 7);
        assert_eq!(View2::new(&data, [10, 12]).row(9), &data[108..]);
        assert_eq!(View3::new(&data, [4, 5, 6]).row(3, 4), &data[114..]);
    }

    #[test]
    fn a_shared_view_outlives_its_copy() {
        let data = counted(6);
        let row = { View2::new(&data, [2, 3]) }.row(1);
        assert_eq!(row, [3, 4, 5]);
    }

    #[test]
    fn changes_reach_the_slice() {
        let mut data = counted(24);
        let mut v = ViewMut3::new(&mut data, [2, 3, 4]);
        v[[1, 2, 3]] = 100;
        v.row_mut(0, 1)[0] = 200;
        v.plane_mut(1)[[0, 0]] = 300;
        v.as_mut_slice()[1] = 400;
        assert_eq!(v.view()[[0, 1, 0]], 200);
        assert_eq!(v.shape(), [2, 3, 4]);
        assert_eq!((data[23], data[4], data[12], data[1]), (100, 200, 300, 400));
    }

    #[test]
    fn empty_arrays_have_shapes_and_rows() {
        let none: [f32; 0] = [];
        assert_eq!(View2::new(&none, [0, 5]).shape(), [0, 5]);
        assert!(View2::new(&none, [3, 0]).row(2).is_empty());
    }

    #[test]
    #[should_panic(expected = "6 elements cannot have the shape [2, 4]")]
    fn a_shape_must_fit() {
        View2::new(&counted(6), [2, 4]);
    }

    #[test]
    #[should_panic(expected = "cannot have the shape")]
    fn a_shape_whose_product_overflows_does_not_fit() {
        View2::new(&counted(0), [usize::MAX, 2]);
    }

    #[test]
    #[should_panic(expected = "index [0, 3] is out of bounds for the shape [2, 3]")]
    fn an_index_past_one_axis_is_refused_though_it_is_inside_the_slice() {
        let data = counted(6);
        let _ = View2::new(&data, [2, 3])[[0, 3]];
    }

    #[test]
    #[should_panic(expected = "index [2] is out of bounds for the shape [2]")]
    fn a_row_past_the_end_is_refused() {
        let mut data = counted(6);
        ViewMut2::new(&mut data, [2, 3]).row_mut(2);
    }

    #[test]
    #[should_panic(expected = "out of bounds")]
    fn a_row_past_the_end_of_an_array_of_empty_rows_is_refused() {
        let none: [u8; 0] = [];
        View2::new(&none, [2, 0]).row(2);
    }
}
