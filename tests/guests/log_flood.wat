;; Logs 10 000 lines of 100 bytes.
(func $attack (local $lines i32)
  (memory.fill (i32.const 512) (i32.const 0x78) (i32.const 100))
  (loop $again
    (call $emit (i32.const 1) (i32.const 512) (i32.const 100))
    (local.set $lines (i32.add (local.get $lines) (i32.const 1)))
    (br_if $again (i32.lt_u (local.get $lines) (i32.const 10000)))))
