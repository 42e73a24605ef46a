;; Blames its caller, in hostile words.
(data (i32.const 512) "x\1b[2J") (data (i32.const 600) "wrong\0a")
(func $attack
  (i32.store8 (i32.const 16) (i32.const 1))
  (i32.store8 (i32.const 20) (i32.const 1))
  (i32.store (i32.const 24) (i32.const 512))
  (i32.store (i32.const 28) (i32.const 5))
  (i32.store (i32.const 32) (i32.const 600))
  (i32.store (i32.const 36) (i32.const 6)))
