;; Reads a range whose end wraps around 2^64.
(func $attack
  (call $read (global.get $in) (i64.const -1) (i32.const 2) (i32.const 40)))
