;; Logs a line break, a line that looks like the host's, and a sequence that clears a terminal.
(data (i32.const 512) "fine\0ahotcell: done\0d\1b[2J\e2\80\ae")
(func $attack (call $emit (i32.const 2) (i32.const 512) (i32.const 26)))
