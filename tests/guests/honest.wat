;; No attack: copies its part of x to out.
(func $attack
  (call $read (global.get $in) (i64.const 0)
    (i32.wrap_i64 (call $input_size (global.get $in))) (i32.const 40))
  (call $write (global.get $out) (i64.const 0)
    (i32.load (i32.const 40)) (i32.load (i32.const 44)))
  (call $drop_input (global.get $in))
  (call $drop_output (global.get $out)))
