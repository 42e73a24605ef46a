;; Nine tables.
(table $a 1 funcref) (table $b 1 funcref) (table $c 1 funcref) (table $d 1 funcref)
(table $e 1 funcref) (table $f 1 funcref) (table $g 1 funcref) (table $h 1 funcref)
(table $i 1 funcref)
(func $attack)
