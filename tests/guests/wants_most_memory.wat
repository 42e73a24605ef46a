;; No attack: copies its part of x to out, after it has talked and then taken 10 MiB for a while.
(data (i32.const 512) "hello")
(func $attack (local $work i32)
  (call $emit (i32.const 1) (i32.const 512) (i32.const 5))
  (call $read (global.get $in) (i64.const 0)
    (i32.wrap_i64 (call $input_size (global.get $in))) (i32.const 40))
  (call $write (global.get $out) (i64.const 0)
    (i32.load (i32.const 40)) (i32.load (i32.const 44)))
  (if (i32.eq (memory.grow (i32.const 160)) (i32.const -1)) (then unreachable))
  (loop $again
    (local.set $work (i32.add (local.get $work) (i32.const 1)))
    (br_if $again (i32.lt_u (local.get $work) (i32.const 5000000)))))
