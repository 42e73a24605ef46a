;; Takes all the memory it is allowed, touches every page of it, and keeps it.
(func $attack
  (loop $again
    (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
  (memory.fill (i32.const 4096) (i32.const 0xa5)
    (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4096)))
  (loop $spin (br $spin)))
