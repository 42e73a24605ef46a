;; Explains itself 1000 times before it traps.
(data (i32.const 512) "first\0a") (data (i32.const 600) "later")
(func $attack (local $times i32)
  (call $explain (i32.const 512) (i32.const 6))
  (loop $again
    (call $explain (i32.const 600) (i32.const 5))
    (local.set $times (i32.add (local.get $times) (i32.const 1)))
    (br_if $again (i32.lt_u (local.get $times) (i32.const 999))))
  unreachable)
