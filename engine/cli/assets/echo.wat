;; The plugin that `orch-wasm init` writes: returns its input as its output and says so in the log. Written by hand, so that the
;; program carries a whole plugin without needing a toolchain for another target. `build.rs` makes a component of it.
(module
  (import "orch:task/report@0.1.0" "log" (func $log (param i32 i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 1024))
  (data (i32.const 16) "the input is the output")

  ;; Hands out memory and never takes any back: an instance lives for one call.
  (func (export "cabi_realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32) (local $end i32) (local $have i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (local.set $end (i32.add (local.get $at) (local.get $size)))
    (local.set $have (i32.mul (memory.size) (i32.const 65536)))
    (if (i32.gt_u (local.get $end) (local.get $have))
      (then
        (if (i32.eq
              (memory.grow (i32.add (i32.const 1) (i32.div_u (i32.sub (local.get $end) (local.get $have)) (i32.const 65536))))
              (i32.const -1))
          (then (unreachable)))))
    (global.set $next (local.get $end))
    (local.get $at))

  ;; The return area at 512 holds result<outcome, task-error>: byte 0 is 0 for `ok`, byte 4 is 0 for `succeeded`, and then the
  ;; text's address and length.
  (func (export "orch:task/runner@0.1.0#run")
    (param $task i32) (param $task-length i32) (param $input i32) (param $length i32) (result i32)
    (call $log (i32.const 2) (i32.const 16) (i32.const 23) (i32.const 0) (i32.const 0))
    (i32.store (i32.const 512) (i32.const 0))
    (i32.store (i32.const 516) (i32.const 0))
    (i32.store (i32.const 520) (local.get $input))
    (i32.store (i32.const 524) (local.get $length))
    (i32.const 512))
)
