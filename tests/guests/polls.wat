;; No attack: works until it is asked to stop, then gives what it has. Says that it has begun once it listens: who
;; was never heard to ask is not waited for.
(data (i32.const 480) "at work")
(func $attack
  (drop (call $should_stop))
  (call $emit (i32.const 1) (i32.const 480) (i32.const 7))
  (loop $again
    (br_if $again (i32.eqz (call $should_stop))))
  (memory.fill (i32.const 512) (i32.const 9) (i32.const 16))
  (call $write (global.get $out) (i64.const 0) (i32.const 512) (i32.const 16)))
