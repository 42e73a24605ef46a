;; Never ends, and calls nobody.
(func $attack (loop $again (br $again)))
