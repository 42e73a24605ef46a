;; Declares 512 MiB, so that it has them before it runs.
(memory (export "memory") 8192)
(func $attack)
