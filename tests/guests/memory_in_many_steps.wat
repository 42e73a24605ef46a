;; Grows page by page until it gets no more, and cannot do without.
(func $attack
  (loop $again
    (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
  unreachable)
