;; Reads from an array that it has given back.
(func $attack
  (call $drop_input (global.get $in))
  (call $read (global.get $in) (i64.const 0) (i32.const 1) (i32.const 40)))
