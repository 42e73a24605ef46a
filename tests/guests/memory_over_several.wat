;; Each of three memories is within the cap; together they are not.
(memory $second 1)
(memory $third 1)
(func $attack
  (if (i32.eq (memory.grow $second (i32.const 150)) (i32.const -1)) (then unreachable))
  (if (i32.eq (memory.grow $third (i32.const 150)) (i32.const -1)) (then unreachable)))
