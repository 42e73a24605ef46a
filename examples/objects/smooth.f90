! Averages each element with its neighbours.
!
! A kernel in Fortran is a subroutine with `bind(c)`: the manifest's parameters in their order, scalars by value, then the extents of the
! signature's dimensions as integers of 32 bits.
subroutine smooth(x, out, n) bind(c, name="smooth")
  use, intrinsic :: iso_c_binding
  implicit none
  integer(c_int32_t), value :: n
  real(c_float), intent(in) :: x(n)
  real(c_float), intent(inout) :: out(n)
  integer(c_int32_t) :: i
  do i = 1, n
    out(i) = (x(max(i - 1, 1)) + x(i) + x(min(i + 1, n))) / 3.0
  end do
end subroutine
