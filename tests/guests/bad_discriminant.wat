;; Returns an error of a kind that the interface does not have.
(func $attack
  (i32.store8 (i32.const 16) (i32.const 1))
  (i32.store8 (i32.const 20) (i32.const 9)))
