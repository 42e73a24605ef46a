;; Fills its part of out with random bytes.
(func $attack
  (call $random (i32.wrap_i64 (call $output_size (global.get $out))) (i32.const 40))
  (call $write (global.get $out) (i64.const 0) (i32.load (i32.const 40)) (i32.load (i32.const 44))))
