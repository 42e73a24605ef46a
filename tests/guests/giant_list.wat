;; Writes a list that lies far outside its memory.
(func $attack
  (call $write (global.get $out) (i64.const 0) (i32.const 0x7fff0000) (i32.const 0x7fffffff)))
