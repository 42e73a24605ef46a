;; Imports the clock.
(func $attack (drop (call $elapsed_ns)))
