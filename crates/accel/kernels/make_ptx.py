#!/usr/bin/env python3
"""Compiles vigia.cu with NVRTC 12.6.85 and prints the PTX.

The compiler comes from PyPI into .cache/nvrtc at the root of the project and is never committed. Drivers of JetPack 6
(CUDA 12.6) take PTX up to ISA 8.5, which is what this version writes; newer ones write newer PTX.

    kernels/make_ptx.py > kernels/vigia.ptx

Exit code 3: PyPI could not be reached.
"""
import ctypes
import glob
import os
import platform
import subprocess
import sys
import zipfile

VERSION = "12.6.85"
OPTIONS = ["--gpu-architecture=compute_75", "--std=c++17"]
HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.path.join(HERE, "../../../.cache/nvrtc", f"{VERSION}-{platform.machine()}")


def library():
    found = glob.glob(os.path.join(CACHE, "**/libnvrtc.so.12"), recursive=True)
    if found:
        return found[0]
    os.makedirs(CACHE, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps"]
    pip += ["--no-cache-dir", "--only-binary=:all:", "-d", CACHE, f"nvidia-cuda-nvrtc-cu12=={VERSION}"]
    if subprocess.run(pip, stdout=sys.stderr).returncode != 0:
        sys.exit(3)
    wheel = glob.glob(os.path.join(CACHE, "*.whl"))[0]
    with zipfile.ZipFile(wheel) as z:
        for name in z.namelist():
            if "/lib/libnvrtc" in name:
                z.extract(name, CACHE)
    os.remove(wheel)
    return library()


def read(name):
    with open(os.path.join(HERE, name), "rb") as f:
        return f.read()


def main():
    path = library()
    # NVRTC looks for its builtins by name.
    ctypes.CDLL(glob.glob(os.path.join(os.path.dirname(path), "libnvrtc-builtins.so*"))[0], ctypes.RTLD_GLOBAL)
    nvrtc = ctypes.CDLL(path)
    program = ctypes.c_void_p()

    def check(doing, code):
        if code != 0:
            size = ctypes.c_size_t()
            nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
            log = ctypes.create_string_buffer(size.value)
            nvrtc.nvrtcGetProgramLog(program, log)
            sys.exit(f"NVRTC answered {code} while {doing}:\n{log.value.decode()}")

    headers = (ctypes.c_char_p * 1)(read("device.h"))
    names = (ctypes.c_char_p * 1)(b"device.h")
    check("reading", nvrtc.nvrtcCreateProgram(ctypes.byref(program), read("vigia.cu"), b"vigia.cu", 1, headers, names))
    options = (ctypes.c_char_p * len(OPTIONS))(*(o.encode() for o in OPTIONS))
    check("compiling", nvrtc.nvrtcCompileProgram(program, len(OPTIONS), options))
    size = ctypes.c_size_t()
    check("asking for the size", nvrtc.nvrtcGetPTXSize(program, ctypes.byref(size)))
    ptx = ctypes.create_string_buffer(size.value)
    check("asking for the PTX", nvrtc.nvrtcGetPTX(program, ptx))
    # The size counts a trailing NUL, which cudarc would stumble over.
    sys.stdout.buffer.write(ptx.raw.rstrip(b"\0"))


if __name__ == "__main__":
    main()
