;; Writes the second half of out alone.
(func $attack
  (memory.fill (i32.const 8192) (i32.const 7) (i32.const 2048))
  (call $write (global.get $out) (i64.const 2048) (i32.const 8192) (i32.const 2048)))
