;; No attack: the first byte of its part of out becomes the sum of all bytes of x that it sees.
(func $attack (local $at i32) (local $left i32) (local $sum i32)
  (call $read (global.get $in) (i64.const 0)
    (i32.wrap_i64 (call $input_size (global.get $in))) (i32.const 40))
  (local.set $at (i32.load (i32.const 40)))
  (local.set $left (i32.load (i32.const 44)))
  (block $done
    (loop $next
      (br_if $done (i32.eqz (local.get $left)))
      (local.set $sum (i32.add (local.get $sum) (i32.load8_u (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br $next)))
  (i32.store8 (i32.load (i32.const 40)) (local.get $sum))
  (call $write (global.get $out) (i64.const 0) (i32.load (i32.const 40)) (i32.const 1))
  (call $drop_input (global.get $in))
  (call $drop_output (global.get $out)))
