;; Every chunk but the first fails; those that come later fail sooner. The error is the chunk's number.
(data (i32.const 512) "0123456789abcdef")
(func $attack (local $work i64)
  (if (i64.eqz (global.get $start)) (then (return)))
  (local.set $work (i64.mul (i64.sub (i64.const 16) (global.get $start)) (i64.const 2000000)))
  (loop $again
    (local.set $work (i64.sub (local.get $work) (i64.const 1)))
    (br_if $again (i64.gt_s (local.get $work) (i64.const 0))))
  (i32.store8 (i32.const 16) (i32.const 1))
  (i32.store8 (i32.const 20) (i32.const 2))
  (i32.store (i32.const 24) (i32.add (i32.const 512) (i32.wrap_i64 (global.get $start))))
  (i32.store (i32.const 28) (i32.const 1)))
