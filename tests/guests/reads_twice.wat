;; Reads all of x, and once more.
(func $attack
  (call $read (global.get $in) (i64.const 0) (i32.const 4096) (i32.const 40))
  (call $read (global.get $in) (i64.const 0) (i32.const 4096) (i32.const 40)))
