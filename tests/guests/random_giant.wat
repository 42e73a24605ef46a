;; Asks for 2 GiB of random bytes.
(func $attack (call $random (i32.const 0x7fffffff) (i32.const 40)))
