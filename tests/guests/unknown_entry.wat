;; Its manifest has an entry that its code does not know.
(data (i32.const 512) "attack\0a")
(func $attack
  (i32.store8 (i32.const 16) (i32.const 1))
  (i32.store8 (i32.const 20) (i32.const 0))
  (i32.store (i32.const 24) (i32.const 512))
  (i32.store (i32.const 28) (i32.const 7)))
