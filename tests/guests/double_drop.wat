;; Gives an array back twice.
(func $attack
  (call $drop_input (global.get $in))
  (call $drop_input (global.get $in)))
