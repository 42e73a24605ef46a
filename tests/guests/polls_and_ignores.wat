;; Hears that it should stop, and goes on. Says that it has begun once it was heard to ask.
(data (i32.const 480) "at work")
(func $attack
  (drop (call $should_stop))
  (call $emit (i32.const 1) (i32.const 480) (i32.const 7))
  (loop $again
    (drop (call $should_stop))
    (br $again)))
