;; Writes a list whose end wraps around the address space.
(func $attack
  (call $write (global.get $out) (i64.const 0) (i32.const -16) (i32.const 32)))
