//! A module's contract with its hosts, as others snapshot it.

use turquoise_host::Module;

#[test]
fn imports_and_exports_are_listed_with_their_types() {
    let module = Module::new(
        br#"(module
            (import "env" "proxy_log" (func (param i32 i32 i32) (result i32)))
            (import "env" "proxy_done" (func (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
            (memory (export "memory") 1)
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1)))"#,
    )
    .unwrap();
    let imports = [
        "env.proxy_done () -> i32",
        "env.proxy_log (i32, i32, i32) -> i32",
        "wasi_snapshot_preview1.proc_exit (i32)",
    ];
    assert_eq!(module.imports().into_iter().collect::<Vec<_>>(), imports);
    let exports = ["memory memory", "proxy_abi_version_0_2_1 ()", "proxy_on_vm_start (i32, i32) -> i32"];
    assert_eq!(module.exports().into_iter().collect::<Vec<_>>(), exports);
}
