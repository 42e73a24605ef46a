;; Returns without having written a byte.
(func $attack)
