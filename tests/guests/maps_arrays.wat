;; Gives whole pages for its arrays. Looks for what an earlier launch left in its memory, copies x to out, spoils both in
;; its own memory, and does what the first byte of x says: 1 returns without a write, 2 traps, 3 goes on for ever, 4
;; writes from another place, 5 writes half.
(memory (export "memory") 1)
(global $small (mut i32) (i32.const 4096))
(global $heap (mut i32) (i32.const 0x10000))
(func (export "cabi_realloc")
    (param $old i32) (param $old_len i32) (param $align i32) (param $len i32) (result i32)
  (local $at i32)
  ;; What the request is made of.
  (if (i32.lt_u (local.get $len) (i32.const 1024)) (then
    (local.set $at (global.get $small))
    (global.set $small (i32.and
      (i32.add (i32.add (local.get $at) (local.get $len)) (i32.const 7)) (i32.const -8)))
    (return (local.get $at))))
  (local.set $at (global.get $heap))
  (global.set $heap (i32.and
    (i32.add (i32.add (local.get $at) (local.get $len)) (i32.const 0xfff))
    (i32.const -4096)))
  (local.get $at))
(func $attack (local $at i32) (local $x i32) (local $out i32) (local $n i32) (local $mode i32)
  (if (i32.eq (memory.grow (i32.const 63)) (i32.const -1)) (then (unreachable)))
  (local.set $at (i32.const 0x10000))
  (loop $zero
    (if (v128.any_true (v128.load (local.get $at))) (then (unreachable)))
    (local.set $at (i32.add (local.get $at) (i32.const 16)))
    (br_if $zero (i32.lt_u (local.get $at) (i32.const 0x400000))))
  (local.set $n (i32.wrap_i64 (call $input_size (global.get $in))))
  (call $buffer (global.get $out) (i64.const 0) (local.get $n) (i32.const 48))
  (local.set $out (i32.load (i32.const 48)))
  (local.set $at (local.get $out))
  (loop $empty
    (if (i32.load8_u (local.get $at)) (then (unreachable)))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (br_if $empty (i32.lt_u (local.get $at) (i32.add (local.get $out) (local.get $n)))))
  (call $read (global.get $in) (i64.const 0) (local.get $n) (i32.const 40))
  (local.set $x (i32.load (i32.const 40)))
  (local.set $mode (i32.load8_u (local.get $x)))
  (memory.copy (local.get $out) (local.get $x) (local.get $n))
  (memory.fill (local.get $x) (i32.const 0xee) (local.get $n))
  (if (i32.eq (local.get $mode) (i32.const 1)) (then (return)))
  (if (i32.eq (local.get $mode) (i32.const 2)) (then (unreachable)))
  (if (i32.eq (local.get $mode) (i32.const 3)) (then (loop $ever (br $ever))))
  (if (i32.eq (local.get $mode) (i32.const 4))
    (then
      (call $write (global.get $out) (i64.const 1) (local.get $out) (i32.sub (local.get $n) (i32.const 1)))
      (return)))
  (if (i32.eq (local.get $mode) (i32.const 5))
    (then
      (call $write (global.get $out) (i64.const 0) (local.get $out) (i32.shr_u (local.get $n) (i32.const 1))))
    (else
      (call $write (global.get $out) (i64.const 0) (local.get $out) (local.get $n))))
  ;; The array has its bytes: these are the guest's own.
  (memory.fill (local.get $out) (i32.const 0xdd) (local.get $n)))
