;; Five memories.
(memory $b 1) (memory $c 1) (memory $d 1) (memory $e 1)
(func $attack)
