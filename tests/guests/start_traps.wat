;; Traps before it is asked anything.
(func $boom unreachable)
(start $boom)
(func $attack)
