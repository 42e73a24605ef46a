;; Asks for more than a memory declares, a hundred times, and lives with the refusals.
(memory $small 1 2)
(global $turns (mut i32) (i32.const 100))
(func $attack
  (loop $again
    (drop (memory.grow $small (i32.const 1000)))
    (global.set $turns (i32.sub (global.get $turns) (i32.const 1)))
    (br_if $again (global.get $turns))))
