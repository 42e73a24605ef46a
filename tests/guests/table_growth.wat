;; Grows a table, and cannot do without.
(table $entries 1 funcref)
(func $attack
  (if (i32.eq (table.grow $entries (ref.null func) (i32.const 50000)) (i32.const -1))
    (then unreachable)))
