;; Writes a signalling NaN with a payload into every four bytes.
(func $attack (local $at i32)
  (local.set $at (i32.const 8192))
  (loop $again
    (i32.store (local.get $at) (i32.const 0x7fa5a5a5))
    (local.set $at (i32.add (local.get $at) (i32.const 4)))
    (br_if $again (i32.lt_u (local.get $at) (i32.const 12288))))
  (call $write (global.get $out) (i64.const 0) (i32.const 8192) (i32.const 4096)))
