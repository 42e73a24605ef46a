;; No attack: spends its time in two functions, three parts of it in one and one part in the other, two turns for each byte
;; of its part of x.
(func $three_parts (local $left i32)
  (local.set $left (i32.const 30000))
  (loop $again
    (local.set $left (i32.sub (local.get $left) (i32.const 1)))
    (br_if $again (local.get $left))))
(func $one_part (local $left i32)
  (local.set $left (i32.const 10000))
  (loop $again
    (local.set $left (i32.sub (local.get $left) (i32.const 1)))
    (br_if $again (local.get $left))))
(func $work
  (call $three_parts)
  (call $one_part))
(func $attack (local $left i32)
  (local.set $left (i32.mul (i32.const 2) (i32.wrap_i64 (call $input_size (global.get $in)))))
  (loop $again
    (call $work)
    (local.set $left (i32.sub (local.get $left) (i32.const 1)))
    (br_if $again (local.get $left)))
  (i32.store8 (i32.const 512) (i32.const 9))
  (call $write (global.get $out) (i64.const 0) (i32.const 512) (i32.const 1)))
