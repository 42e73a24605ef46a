;; Fails with 100 MiB of line breaks to say.
(func $attack
  (if (i32.eq (memory.grow (i32.const 1601)) (i32.const -1)) (then unreachable))
  (memory.fill (i32.const 65536) (i32.const 10) (i32.const 104857600))
  (i32.store8 (i32.const 16) (i32.const 1))
  (i32.store8 (i32.const 20) (i32.const 2))
  (i32.store (i32.const 24) (i32.const 65536))
  (i32.store (i32.const 28) (i32.const 104857600)))
