;; Writes one byte past the end of out.
(func $attack
  (call $write (global.get $out) (i64.const 4096) (i32.const 512) (i32.const 1)))
