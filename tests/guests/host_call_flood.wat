;; Plays ping-pong with the host for ever.
(func $attack
  (loop $again
    (drop (call $output_size (global.get $out)))
    (br $again)))
