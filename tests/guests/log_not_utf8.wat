;; Logs what is no text.
(data (i32.const 512) "\ff\fe\c0")
(func $attack (call $emit (i32.const 1) (i32.const 512) (i32.const 3)))
