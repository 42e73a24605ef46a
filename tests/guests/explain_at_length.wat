;; Explains itself with 64 KiB.
(func $attack
  (drop (memory.grow (i32.const 2)))
  (memory.fill (i32.const 65536) (i32.const 0x79) (i32.const 65536))
  (call $explain (i32.const 65536) (i32.const 65536))
  unreachable)
