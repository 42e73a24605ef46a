;; Grows by 512 MiB at once, and cannot do without.
(func $attack
  (if (i32.eq (memory.grow (i32.const 8192)) (i32.const -1))
    (then unreachable)))
