;; Answers an allocation with an address outside its memory.
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0x7ffffff0))
(func $attack)
