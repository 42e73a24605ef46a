;; Two tables, each within the limit; together they are not.
(table $a 1 funcref)
(table $b 1 funcref)
(func $attack
  (if (i32.eq (table.grow $a (ref.null func) (i32.const 6000)) (i32.const -1)) (then unreachable))
  (if (i32.eq (table.grow $b (ref.null func) (i32.const 6000)) (i32.const -1)) (then unreachable)))
