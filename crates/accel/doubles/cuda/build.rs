//! Compiles the kernels for the host.

fn main() {
    let kernels = "../../kernels";
    for name in ["vigia.cu", "host.h"] {
        println!("cargo::rerun-if-changed={kernels}/{name}");
    }
    println!("cargo::rerun-if-changed=host/launch.cpp");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libcuda.so.1");
    cc::Build::new()
        .cpp(true)
        .file("host/launch.cpp")
        .define("VIGIA_HOST", None)
        .include(kernels)
        .std("c++17")
        // As a user of the box waits for it, not as one who debugs it.
        .opt_level(2)
        .flag_if_supported("-ffp-contract=off")
        .flag_if_supported("-Wno-unknown-pragmas")
        .compile("vigia_kernels_host");
}
