;; Never gets to the point of being asked anything.
(func $spin (loop $again (br $again)))
(start $spin)
(func $attack)
