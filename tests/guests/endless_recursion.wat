;; Never returns.
(func $attack (drop (call $deeper (i64.const 0))))
(func $deeper (param $depth i64) (result i64)
  (i64.add (local.get $depth)
    (call $deeper (i64.add (local.get $depth) (i64.const 1)))))
