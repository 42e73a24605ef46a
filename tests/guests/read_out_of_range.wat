;; Reads one byte past the end of x.
(func $attack
  (call $read (global.get $in) (i64.const 1) (i32.const 4096) (i32.const 40)))
