;; Hears that it should stop, and goes on.
(func $attack
  (loop $again
    (drop (call $should_stop))
    (br $again)))
