;; Makes up a handle.
(func $attack
  (call $read (i32.const 12345) (i64.const 0) (i32.const 1) (i32.const 40)))
